// SPDX-License-Identifier: Apache-2.0
// What static libraries that were compiled with _FORTIFY_SOURCE for glibc call, for a program
// without glibc (cmake/static.cmake): the usual functions with one argument more, the room that
// there is. To need more ends the program, as in glibc.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);
int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, va_list list);
int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
_Noreturn void __longjmp_chk(jmp_buf to, int value);

static void check(size_t size, size_t room) {
    if (size > room) {
        abort();
    }
}

void *__memcpy_chk(void *to, const void *from, size_t size, size_t room) {
    check(size, room);
    return memcpy(to, from, size);
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room) {
    check(size, room);
    return strncpy(to, from, size);
}

// The flag forbids %n in writable formats; these libraries' formats are literals.
int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format,
                    va_list list) {
    (void)flag;
    check(size, room);
    return vsnprintf(to, size, format, list);
}

int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const int length = __vsnprintf_chk(to, size, flag, room, format, list);
    va_end(list);
    return length;
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...) {
    (void)flag;
    va_list list;
    va_start(list, format);
    const int length = vfprintf(file, format, list);
    va_end(list);
    return length;
}

void __longjmp_chk(jmp_buf to, int value) { longjmp(to, value); }
