/*
 * json_text.c - the letters of JSON, without Lua: UTF-8, escapes, numbers to text and back, excerpts for messages.
 */
#include "json.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- strings ---- */

size_t json_utf8_length(const char *p) {
  const unsigned char *s = (const unsigned char *)p;
  unsigned char low = 0x80, high = 0xBF;
  size_t n, i;
  if (s[0] < 0x80) return 1;
  if (s[0] >= 0xC2 && s[0] <= 0xDF) n = 2;
  else if (s[0] >= 0xE0 && s[0] <= 0xEF) n = 3;
  else if (s[0] >= 0xF0 && s[0] <= 0xF4) n = 4;
  else return 0;
  if (s[0] == 0xE0) low = 0xA0;  /* overlong */
  if (s[0] == 0xED) high = 0x9F; /* surrogates */
  if (s[0] == 0xF0) low = 0x90;
  if (s[0] == 0xF4) high = 0x8F; /* beyond U+10FFFF */
  if (s[1] < low || s[1] > high) return 0;
  for (i = 2; i < n; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  return n;
}

size_t json_utf8_put(char *out, uint32_t c) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
  out[0] = (char)(lead[n] | c);
  return n;
}

bool json_plain8(const char *p) {
  const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
  uint64_t w, quote, slash;
  memcpy(&w, p, 8);
  quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
  /* a byte below n has its top bit set in (w - n) & ~w; a borrow can only follow a byte that was one itself */
  return (((w - ones * 0x20) | (quote - ones) | (slash - ones) | w) & tops) == 0;
}

static char *unicode(char *out, unsigned c) {
  static const char hex[] = "0123456789abcdef";
  *out++ = '\\', *out++ = 'u';
  for (int shift = 12; shift >= 0; shift -= 4) *out++ = hex[(c >> shift) & 15];
  return out;
}

size_t json_escape(char *out, const char **at, int mode, bool ascii) {
  static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
  const char *p = *at, *f = *p ? strchr(from, *p) : NULL;
  unsigned char c = (unsigned char)*p;
  char *start = out;
  size_t n = json_utf8_length(p);
  *at = p + (n > 0 ? n : 1);
  if (f) *out++ = '\\', *out++ = to[f - from];
  else if (c < 0x20) out = unicode(out, c);
  else if (n > 0 && !ascii) memcpy(out, p, n), out += n;
  else if (n > 0) {
    uint32_t u = c & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) u = u << 6 | ((unsigned char)p[i] & 0x3Fu);
    if (u >= 0x10000) out = unicode(out, 0xD7C0 + (u >> 10)), u = 0xDC00 + (u & 0x3FF);
    out = unicode(out, u);
  } else if (mode == UTF8_KEEP) *out++ = *p;
  else if (mode == UTF8_REPLACE)
    out = ascii ? unicode(out, 0xFFFD) : out + json_utf8_put(out, 0xFFFD);
  else *at = p;
  return (size_t)(out - start);
}

size_t json_excerpt(char *text, size_t *column, const char *line, const char *at, const char *end) {
  const char *from = line, *to = at;
  size_t n = 0;
  *column = 0;
  if (at - from > JSON_BEFORE) from = at - JSON_BEFORE;
  while (from > line && from < at && ((unsigned char)*from & 0xC0) == 0x80) from++;
  while (to < end && to - at < JSON_AFTER && *to != '\n' && *to != '\r') to++;
  while (to > at && to < end && ((unsigned char)*to & 0xC0) == 0x80) to--;
  if (from > line) n = json_utf8_put(text, 0x2026), *column = 1; /* … */
  for (const char *p = from; p < to;) {
    unsigned char c = (unsigned char)*p;
    size_t length = json_utf8_length(p);
    if (length > (size_t)(to - p)) length = 0;
    if (p < at) ++*column;
    if (length == 0 || c < 0x20 || c == 0x7F) text[n++] = length ? ' ' : '?';
    else memcpy(text + n, p, length), n += length;
    p += length ? length : 1;
  }
  return n;
}

/* ---- numbers ---- */

static bool digit(char c) { return c >= '0' && c <= '9'; }

const char *json_number_end(const char *p, bool *whole, const char **wrong) {
  *whole = true;
  if (*p == '-') p++;
  if (!digit(*p)) return *wrong = "a digit is missing", NULL;
  if (*p == '0' && digit(p[1])) return *wrong = "it starts with a zero", NULL;
  while (digit(*p)) p++;
  if (*p == '.') {
    *whole = false;
    if (!digit(*++p)) return *wrong = "a digit is missing after the point", NULL;
    while (digit(*p)) p++;
  }
  if (*p == 'e' || *p == 'E') {
    *whole = false;
    p++;
    if (*p == '+' || *p == '-') p++;
    if (!digit(*p)) return *wrong = "a digit is missing in the exponent", NULL;
    while (digit(*p)) p++;
  }
  return p;
}

/* strtod wants the decimal point of the locale, which a spec may have changed. */
static double slow_value(const char *p, const char *end) {
  const char *point = localeconv()->decimal_point, *dot;
  if (point[0] == '.') return strtod(p, NULL);
  char small[128], *copy = small;
  size_t size = (size_t)(end - p);
  if (size >= sizeof small) copy = it_alloc(size + 1);
  memcpy(copy, p, size), copy[size] = 0;
  if ((dot = memchr(p, '.', size)) != NULL) copy[dot - p] = point[0];
  double v = strtod(copy, NULL);
  if (copy != small) free(copy);
  return v;
}

double json_number_value(const char *p, const char *end) {
#if FLT_EVAL_METHOD == 0
  /* Exact when digits and power of ten are both exact doubles (Clinger): one rounding, in the last operation. */
  static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char *s = p + (*p == '-');
  uint64_t m = 0;
  int digits = 0, scale = 0, power = 0;
  for (; s < end && digits < 19 && (digit(*s) || *s == '.'); s++) {
    if (*s == '.') scale = 1;
    else {
      m = m * 10 + (uint64_t)(*s - '0');
      if (m > 0) digits++;
      if (scale) scale++;
    }
  }
  if (s < end && (*s == 'e' || *s == 'E')) {
    bool down = *++s == '-';
    if (*s == '-' || *s == '+') s++;
    for (; s < end && power < 1000; s++) power = power * 10 + (*s - '0');
    if (down) power = -power;
  }
  power -= scale ? scale - 1 : 0;
  if (s == end && m <= UINT64_C(1) << 53 && power >= -22 && power <= 22) {
    double v = (double)m;
    v = power < 0 ? v / tens[-power] : v * tens[power];
    return *p == '-' ? -v : v;
  }
#endif
  return slow_value(p, end);
}

size_t json_integer_text(char *out, int64_t i) {
  char text[JSON_TEXT], *end = text + sizeof text, *p = end;
  uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
  do *--p = (char)('0' + u % 10);
  while ((u /= 10) > 0);
  if (i < 0) *--p = '-';
  memcpy(out, p, (size_t)(end - p));
  return (size_t)(end - p);
}

/* A double of few decimals, as most are: m / 10^k is the double again, so m with the point put in is its shortest text. */
static size_t short_decimal(char *out, double d) {
  static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
  double a = fabs(d), m = 0;
  int k = 1;
  if (!(a >= 1e-4 && a < 1e7)) return 0;
  while (k <= 8 && (m = nearbyint(a * tens[k])) / tens[k] != a) k++;
  if (k > 8) return 0;
  char text[JSON_TEXT], *end = text + sizeof text, *p = end;
  uint64_t u = (uint64_t)m;
  for (int i = 0; i < k; i++, u /= 10) *--p = (char)('0' + u % 10);
  *--p = '.';
  do *--p = (char)('0' + u % 10);
  while ((u /= 10) > 0);
  if (d < 0) *--p = '-';
  memcpy(out, p, (size_t)(end - p));
  return (size_t)(end - p);
}

size_t json_real_text(char *out, double d) {
  int precision = fabs(d) < DBL_MIN ? 1 : 15; /* denormals have few digits */
  size_t n = short_decimal(out, d);
  if (n > 0) return n;
  do snprintf(out, JSON_TEXT, "%.*g", precision, d);
  while (precision++ < 17 && strtod(out, NULL) != d);
  n = strspn(out, "-0123456789");
  if (out[n] == 0) memcpy(out + n, ".0", 3);
  else if (out[n] != 'e') out[n] = '.'; /* the locale's point */
  return strlen(out);
}
