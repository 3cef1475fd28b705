// SPDX-License-Identifier: Apache-2.0
// The line is cut at the terminal's width, because a wrapped line cannot be redrawn.
#include "console/progress.h"

#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "console/measure.h"
#include "console/output.h"

static const double REDRAW_SECONDS = 0.1, PLAIN_SECONDS = 5;
enum { LEAST_CELLS = 4, MOST_CELLS = 24, LINE_SIZE = 512 };

Progress progress_begin(void) {
    return (Progress){.terminal = isatty(STDERR_FILENO) != 0, .shown = measure_clock()};
}

void progress_clear(Progress *progress) {
    if (progress->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->drawn = false;
    }
}

void progress_note(Progress *progress, const char *format, ...) {
    progress_clear(progress);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

// Bytes of `text` that fill at most `width` characters.
static int line_cut(const char *text, int width) {
    int bytes = 0;
    for (int seen = 0; text[bytes] != '\0'; bytes++) {
        seen += ((unsigned char)text[bytes] & 0xc0) != 0x80;
        if (seen > width) {
            break;
        }
    }
    return bytes;
}

// Columns of the terminal, less one: a line that fills the last column may wrap.
static int terminal_width(void) {
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return known ? size.ws_col - 1 : 79;
}

static void bar_write(char *out, double share, int cells) {
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    const char *full = utf8 ? "━" : "#", *empty = utf8 ? "─" : "-";
    *out = '\0';
    for (int cell = 0; cell < cells; cell++) {
        strcat(out, (cell + 0.5) / cells < share ? full : empty);
    }
    strcat(out, cells > 0 ? "  " : "");
}

// "4:05 left", "2:07:30 left"
static void clock_write(char *out, size_t size, double seconds) {
    if (!(seconds >= 0 && seconds < 1e8)) {
        snprintf(out, size, "?");
        return;
    }
    int whole = (int)(seconds + 0.5);
    int hours = whole / 3600, minutes = whole / 60 % 60;
    if (hours > 0) {
        snprintf(out, size, "%d:%02d:%02d left", hours, minutes, whole % 60);
    } else {
        snprintf(out, size, "%d:%02d left", minutes, whole % 60);
    }
}

// Whether it is time for the next line.
static bool progress_due(Progress *progress) {
    double time = measure_clock();
    if (time - progress->shown < (progress->terminal ? REDRAW_SECONDS : PLAIN_SECONDS)) {
        return false;
    }
    progress->shown = time;
    return true;
}

static void progress_show(Progress *progress, const char *label, double share,
                          const char *figures) {
    if (!progress->terminal) {
        fprintf(stderr, "%s  %.0f %%  %s\n", label, 100 * share, figures);
        return;
    }
    int width = terminal_width();
    int room = width - (int)strlen(label) - 4 - (int)strlen(figures);
    int cells = room < LEAST_CELLS ? 0 : room < MOST_CELLS ? room : MOST_CELLS;
    char bar[MOST_CELLS * 4 + 4], line[2 * LINE_SIZE];
    bar_write(bar, share, cells);
    snprintf(line, sizeof line, "%s  %s%s", label, bar, figures);
    fprintf(stderr, "\r%.*s\033[K", line_cut(line, width), line);
    fflush(stderr);
    progress->drawn = true;
}

void progress_training(Progress *progress, const char *label, const resnet_train_progress *now) {
    bool last = now->iteration == now->iterations;
    if (!progress_due(progress) && !last) {
        return;
    }
    char done[64], left[32] = "testing", figures[LINE_SIZE];
    if (now->epochs >= 2) {
        snprintf(done, sizeof done, "epoch %.2f/%.4g", now->epoch, now->epochs);
    } else {
        snprintf(done, sizeof done, "iteration %s/%s", figure_whole(now->iteration),
                 figure_whole(now->iterations));
    }
    if (!last) {
        clock_write(left, sizeof left, now->eta_seconds);
    }
    snprintf(figures, sizeof figures, "%s  loss %.2f  error %.1f %%  %s images/s  %s", done,
             now->train_loss, 100 - now->train_top1, figure_whole((int64_t)now->images_per_second),
             left);
    progress_show(progress, label, (double)now->iteration / (double)now->iterations, figures);
}

void progress_evaluation(Progress *progress, const char *label, const resnet_evaluation *now,
                         int count) {
    if (!progress_due(progress)) {
        return;
    }
    int seen = now->samples + now->failed;
    double share = (double)seen / count, rate = now->images_per_second;
    char left[32], figures[LINE_SIZE];
    clock_write(left, sizeof left, now->seconds * (count - seen) / seen);
    snprintf(figures, sizeof figures, "images %s/%s  error %.1f %%  %.*f images/s  %s",
             figure_whole(seen), figure_whole(count), 100 - now->top1, rate < 10 ? 1 : 0, rate,
             left);
    progress_show(progress, label, share, figures);
}

void progress_count(Progress *progress, const char *what, int done, int all) {
    if (!progress_due(progress)) {
        return;
    }
    char figures[LINE_SIZE];
    snprintf(figures, sizeof figures, "%s of %s", figure_whole(done), figure_whole(all));
    progress_show(progress, what, (double)done / all, figures);
}

static volatile sig_atomic_t stop_flag;

static void stop_handle(int signal_number) {
    (void)signal_number;
    stop_flag = 1;
}

const volatile sig_atomic_t *stop_flag_install(void) {
    struct sigaction action = {.sa_handler = stop_handle, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &stop_flag;
}
