/*
 * http_error.c - libcurl's errors in the words of itlua: kind and code that a test can rely on, and a message that says
 * what happened, to whom, and what to do about it. libcurl's own words follow where they add something.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

/* ---- codes ---- */

static const char *errno_code(int error) {
  switch (error) {
  case ECONNREFUSED: return "ECONNREFUSED";
  case ECONNRESET: return "ECONNRESET";
  case EPIPE: return "ECONNRESET";
  case EHOSTUNREACH: return "EHOSTUNREACH";
  case ENETUNREACH: return "ENETUNREACH";
  case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
  case ETIMEDOUT: return "ETIMEDOUT";
  case ENOENT: return "ENOENT";
  case EACCES: return "EACCES";
  case EMFILE: return "EMFILE";
  default: return NULL;
  }
}

static int os_error(http_transfer *t) {
  long error = 0;
  curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);
  return (int)error;
}

static curl_off_t number(http_transfer *t, CURLINFO info) {
  curl_off_t n = 0;
  curl_easy_getinfo(t->easy, info, &n);
  return n;
}

/* OpenSSL's X509_V_ERR_…, which other TLS libraries do not set: libcurl's words are the fallback. */
static const char *certificate_code(http_transfer *t) {
  long reason = 0;
  curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &reason);
  switch (reason) {
  case 9: return "TLS/CERT_NOT_YET_VALID";
  case 10: return "TLS/CERT_EXPIRED";
  case 18: return "TLS/CERT_SELF_SIGNED";
  case 19:
  case 20:
  case 21: return "TLS/CERT_UNTRUSTED";
  case 23: return "TLS/CERT_REVOKED";
  case 62: return "TLS/CERT_HOSTNAME";
  default: break;
  }
  if (strstr(t->errors, "expired")) return "TLS/CERT_EXPIRED";
  if (strstr(t->errors, "subject name") || strstr(t->errors, "match")) return "TLS/CERT_HOSTNAME";
  return "TLS/CERT_INVALID";
}

static const char *timeout_code(http_transfer *t) {
  return t->sent || t->head.size ? "TIMEOUT" : "CONNECT_TIMEOUT";
}

static const char *receive_code(http_transfer *t, const char *otherwise) {
  if (strstr(t->errors, "oo large response headers"))
    return "TOO_LARGE"; /* libcurl's own limit, 300 KiB */
  if (strstr(t->errors, "hunk"))
    return "MALFORMED"; /* "Malformed encoding found in chunked-encoding" and its kin */
  if (strstr(t->errors, "SSL") || strstr(t->errors, "TLS")) return "TLS/HANDSHAKE";
  const char *code = errno_code(os_error(t));
  return code ? code : otherwise;
}

http_error http_error_of(http_transfer *t, CURLcode result) {
  const char *code;
  if (t->too_large) return (http_error){"http", "TOO_LARGE"};
  if (t->repeats) return (http_error){"http", "ECONNRESET"};
  if (strstr(t->errors, "CONNECT tunnel failed")) return (http_error){"http", "PROXY"};
  switch (result) {
  case CURLE_COULDNT_RESOLVE_HOST:
  case CURLE_COULDNT_RESOLVE_PROXY: return (http_error){"dns", "ENOTFOUND"};
  case CURLE_OPERATION_TIMEDOUT: return (http_error){"timeout", timeout_code(t)};
  case CURLE_COULDNT_CONNECT:
    code = errno_code(os_error(t));
    return (http_error){"http", code ? code : "CONNECT"};
  case CURLE_TOO_MANY_REDIRECTS: return (http_error){"http", "TOO_MANY_REDIRECTS"};
  case CURLE_PEER_FAILED_VERIFICATION: return (http_error){"http", certificate_code(t)};
  case CURLE_SSL_CONNECT_ERROR: return (http_error){"http", "TLS/HANDSHAKE"};
  case CURLE_SSL_CERTPROBLEM: return (http_error){"http", "TLS/CLIENT_CERT"};
  case CURLE_SSL_CACERT_BADFILE: return (http_error){"http", "TLS/CA_FILE"};
  case CURLE_GOT_NOTHING: return (http_error){"http", "EMPTY_REPLY"};
  case CURLE_PARTIAL_FILE: return (http_error){"http", "TRUNCATED"};
  case CURLE_RECV_ERROR: return (http_error){"http", receive_code(t, "RECEIVE")};
  case CURLE_SEND_ERROR: return (http_error){"http", receive_code(t, "SEND")};
  case CURLE_SEND_FAIL_REWIND: return (http_error){"http", "REWIND"};
  case CURLE_UNSUPPORTED_PROTOCOL:
    if (strstr(t->errors, "HTTP/0.9")) return (http_error){"http", "MALFORMED"};
    return (http_error){"http", "UNSUPPORTED_PROTOCOL"};
  case CURLE_WEIRD_SERVER_REPLY: return (http_error){"http", "MALFORMED"};
  case CURLE_BAD_CONTENT_ENCODING: return (http_error){"http", "BAD_ENCODING"};
  case CURLE_HTTP2:
  case CURLE_HTTP2_STREAM: return (http_error){"http", "HTTP2"};
  case CURLE_PROXY: return (http_error){"http", "PROXY"};
  case CURLE_READ_ERROR: return (http_error){"http", "FILE"};
  case CURLE_URL_MALFORMAT: return (http_error){"http", "BAD_URL"};
  case CURLE_ABORTED_BY_CALLBACK: return (http_error){"http", "CLOSED"};
  default: return (http_error){"http", "CURL"};
  }
}

/* ---- messages ---- */

/* "host:port" of where it went; free() it. */
static char *whom(http_transfer *t) {
  it_buf b = {0};
  char *url = NULL, *host = NULL, *port = NULL;
  CURLU *parsed = curl_url();
  if (t->via) {
    it_buf_addf(&b, "%s", t->via);
  } else {
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (parsed && url &&
        curl_url_set(parsed, CURLUPART_URL, url, CURLU_GUESS_SCHEME) == CURLUE_OK) {
      curl_url_get(parsed, CURLUPART_HOST, &host, 0);
      curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    }
    it_buf_addf(&b, "%s:%s", host ? host : "?", port ? port : "?");
  }
  curl_free(host);
  curl_free(port);
  curl_url_cleanup(parsed);
  return b.data;
}

static const char *certificate_text(const char *code) {
  static const struct {
    const char *code, *text;
  } texts[] = {
      {"TLS/CERT_EXPIRED", "has expired"},
      {"TLS/CERT_NOT_YET_VALID", "is not valid yet"},
      {"TLS/CERT_SELF_SIGNED", "is self-signed: give it as tls.ca, or set tls.verify = false"},
      {"TLS/CERT_UNTRUSTED",
       "was signed by nobody trusted: give its CA as tls.ca, or set tls.verify = false"},
      {"TLS/CERT_REVOKED", "was revoked"},
      {"TLS/CERT_HOSTNAME", "is for another host"},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (!strcmp(texts[i].code, code)) return texts[i].text;
  return "is not accepted";
}

static void connect_text(it_buf *b, http_transfer *t, const char *code, const char *to) {
  if (t->via && !strcmp(code, "ENOENT")) it_buf_addf(b, "there is no socket %s", to);
  else if (!strcmp(code, "ECONNREFUSED"))
    it_buf_addf(b, "nothing listens on %s (connection refused)", to);
  else it_buf_addf(b, "no connection to %s: %s", to, t->errors[0] ? t->errors : code);
}

static void timeout_text(it_buf *b, http_transfer *t, const char *code, const char *to) {
  bool connecting = !strcmp(code, "CONNECT_TIMEOUT");
  bool by_connect =
      connecting && t->connect_timeout > 0 && (t->timeout <= 0 || t->connect_timeout < t->timeout);
  double after = by_connect ? t->connect_timeout : t->timeout;
  if (connecting) {
    bool resolved = number(t, CURLINFO_NAMELOOKUP_TIME_T) > 0;
    it_buf_addf(b, "%s %s within %.3g s", resolved ? "no connection to" : "could not resolve", to,
                after);
    if (by_connect) it_buf_addf(b, " (option connect_timeout)");
    return;
  }
  curl_off_t length = -1;
  curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (!t->head.size) it_buf_addf(b, "no answer from %s within %.3g s", to, after);
  else if (length > 0)
    it_buf_addf(b, "only %zu of %lld bytes from %s within %.3g s", t->received, (long long)length,
                to, after);
  else
    it_buf_addf(b, "the answer of %s was not complete within %.3g s, after %zu bytes", to, after,
                t->received);
}

static void truncated_text(it_buf *b, http_transfer *t, const char *to) {
  curl_off_t length = -1;
  curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length > 0)
    it_buf_addf(b, "%s closed the connection after %zu of %lld bytes", to, t->received,
                (long long)length);
  else
    it_buf_addf(b, "%s closed the connection after %zu bytes, before the end of the response", to,
                t->received);
}

static void redirects_text(it_buf *b, http_transfer *t) {
  long count = 0;
  char *next = NULL;
  curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_COUNT, &count);
  curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &next);
  it_buf_addf(b, "more than %ld redirects, the last one from %s", count, next ? next : "?");
}

static void too_large_text(it_buf *b, http_transfer *t, const char *to) {
  if (!t->head_ended || t->limit == SIZE_MAX)
    it_buf_addf(b, "the headers from %s are too large", to);
  else
    it_buf_addf(
        b,
        "the response of %s is larger than %zu bytes: raise max_size, or read it with stream = true",
        to, t->limit);
}

/* Whether our words leave nothing to add. */
static bool tells_all(http_error error) {
  static const char *const codes[] = {
      "ECONNREFUSED",       "ECONNRESET",       "EMPTY_REPLY",
      "TRUNCATED",          "TOO_LARGE",        "CLOSED",
      "TOO_MANY_REDIRECTS", "TLS/CERT_EXPIRED", "TLS/CERT_SELF_SIGNED",
      "TLS/CERT_UNTRUSTED",
  };
  if (strcmp(error.kind, "http") != 0) return true;
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (!strcmp(codes[i], error.code)) return true;
  return false;
}

static void describe(it_buf *b, http_transfer *t, CURLcode result, http_error error,
                     const char *to) {
  const char *code = error.code;
  if (!strcmp(code, "TOO_LARGE")) too_large_text(b, t, to);
  else if (!strcmp(error.kind, "dns")) it_buf_addf(b, "the name of %s cannot be resolved", to);
  else if (!strcmp(error.kind, "timeout")) timeout_text(b, t, code, to);
  else if (result == CURLE_COULDNT_CONNECT) connect_text(b, t, code, to);
  else if (t->repeats)
    it_buf_addf(b, "%s closed the connection, and a %s is not sent twice", to, t->method);
  else if (!strcmp(code, "ECONNRESET")) it_buf_addf(b, "%s reset the connection", to);
  else if (!strcmp(code, "EMPTY_REPLY"))
    it_buf_addf(b, "%s closed the connection without an answer", to);
  else if (!strcmp(code, "TRUNCATED")) truncated_text(b, t, to);
  else if (!strcmp(code, "TOO_MANY_REDIRECTS")) redirects_text(b, t);
  else if (!strcmp(code, "PROXY")) it_buf_addf(b, "the proxy %s does not let it through", to);
  else if (!strcmp(code, "CLOSED")) it_buf_addf(b, "the stream was closed");
  else if (!strcmp(code, "MALFORMED")) it_buf_addf(b, "the answer of %s is not HTTP", to);
  else if (!strncmp(code, "TLS/CERT_", 9))
    it_buf_addf(b, "the certificate of %s %s", to, certificate_text(code));
  else it_buf_addf(b, "no answer from %s", to);
  if (tells_all(error)) return;
  it_buf_addf(b, " [%s]", t->errors[0] ? t->errors : curl_easy_strerror(result));
}

char *http_describe(http_transfer *t, CURLcode result) {
  it_buf b = {0};
  char *to = whom(t);
  describe(&b, t, result, http_error_of(t, result), to);
  free(to);
  return b.data;
}

void http_fail(it_op *op, http_transfer *t, CURLcode result) {
  http_error error = http_error_of(t, result);
  char *text = http_describe(t, result);
  it_op_outcome(op, "%s", error.code);
  it_op_fail(op, error.kind, error.code, "%s%s%s", op->detail ? op->detail : "",
             op->detail ? ": " : "", text);
  free(text);
}
