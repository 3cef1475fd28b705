# RESNET_STATIC: one program without shared libraries, for containers and machines that have nothing
# else, at most 2 MB stripped (tests/static measures it). Where the size comes from:
#   - the C library: 0.9 MB of glibc, a tenth of that with musl (musl-gcc, Debian's musl-tools);
#   - what is never called goes, which needs each function in a section of its own, and so do the
#     tables for unwinding, which C has no use for (no_unwinding.ld: 66 KB of the libraries');
#   - code is made for size, but not the convolutions and kernels: they are as fast as elsewhere.
# JPEG, PNG, WebP, zlib and JSON come from Debian's static libraries. These were compiled for glibc;
# of it they need what the C standard and POSIX name, which musl has, and the checked forms of
# _FORTIFY_SOURCE, which cmake/fortify.c adds. A name that were missing would fail the link.
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(CMAKE_C_FLAGS_RELEASE "-Os")
add_compile_options(-fno-pie -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables)
# Threads get the stack that glibc would give them at least; musl's own measure is 128 KB.
add_link_options(-static -no-pie LINKER:--gc-sections LINKER:-z,stack-size=2097152
                 LINKER:-z,noseparate-code LINKER:-T,${CMAKE_CURRENT_LIST_DIR}/no_unwinding.ld)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # 0.1 MB: libjpeg-turbo's choice of SIMD functions has the encoder's in it, which nothing calls.
  add_link_options(LINKER:--defsym=jsimd_huff_encode_one_block_sse2=abort
    LINKER:--defsym=jconst_huff_encode_one_block=0)
endif()

include(CheckSymbolExists)
check_symbol_exists(__GLIBC__ features.h RESNET_HAS_GLIBC)
if(NOT RESNET_HAS_GLIBC)
  # Headers of those libraries, behind the C library's own.
  execute_process(COMMAND ${CMAKE_C_COMPILER} -print-multiarch OUTPUT_VARIABLE multiarch
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  add_compile_options("SHELL:-idirafter /usr/include" "SHELL:-idirafter /usr/include/${multiarch}")
endif()
