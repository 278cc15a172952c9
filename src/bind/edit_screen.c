/*
 * edit_screen.c - text above the line that is being edited: the line is wiped off, the text printed, the line drawn again.
 *
 * libedit does not tell where on the screen its cursor is; it follows from the prompt, the line and the terminal's width.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include "edit.h"

/* Columns of a prompt in UTF-8; what stands between two \1 takes none. */
int edit_width(const char *prompt) {
  int width = 0;
  bool hidden = false;
  for (const char *p = prompt; *p; p++) {
    if (*p == '\1') hidden = !hidden;
    else if (!hidden && ((unsigned char)*p & 0xC0) != 0x80) width++;
  }
  return width;
}

static int columns_of_terminal(void) {
  struct winsize size = {0};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  return size.ws_col > 0 ? size.ws_col : 80;
}

/* As libedit draws them: ^A for controls, \U+1234 for what cannot be printed. */
static int width_of(wchar_t c, int column) {
  if (c == '\t') return 8 - column % 8;
  if (c < 32 || c == 127) return 2;
  int width = wcwidth(c);
  return width < 0 ? (c > 0xFFFF ? 9 : 8) : width;
}

/* On which row, counted from the prompt's, the character before `end` leaves the cursor. */
static int row_of(const edit *e, const wchar_t *buffer, const wchar_t *end) {
  int columns = columns_of_terminal(), row = e->prompt_width / columns,
      column = e->prompt_width % columns;
  for (; buffer < end; buffer++) {
    if (*buffer == '\n') {
      row++;
      column = 0;
      continue;
    }
    int width = width_of(*buffer, column);
    if (column + width > columns)
      row++, column = 0; /* a wide one does not fit into the last column */
    column += width;
    if (column >= columns) row++, column -= columns;
  }
  return row;
}

void edit_show_above(edit *e, const char *text, size_t size) {
  const LineInfoW *line = el_wline(e->el);
  int row = row_of(e, line->buffer, line->cursor);
  fputc('\r', stdout);
  if (row > 0) fprintf(stdout, "\033[%dA", row);
  fputs("\033[J", stdout);
  fwrite(text, 1, size, stdout);
  if (size && text[size - 1] != '\n') fputc('\n', stdout);
  fflush(stdout);
  el_set(e->el, EL_REFRESH);
}

void edit_leave_line(edit *e) {
  const LineInfoW *line = el_wline(e->el);
  int down = row_of(e, line->buffer, line->lastchar) - row_of(e, line->buffer, line->cursor);
  if (down > 0) fprintf(stdout, "\033[%dB", down);
  fputs("\r\n", stdout);
  fflush(stdout);
}
