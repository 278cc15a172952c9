/*
 * http_settings.c - a table of settings applied to an easy handle: a client's, then what a request has besides.
 *
 * The tables come from lua/itlua/http/options.lua, which knows the public options and names the caller's mistakes. Here a
 * wrong type is a fault of ours, and is still no crash.
 */
#include <stdlib.h>
#include <string.h>

#include "http.h"

typedef void apply_fn(lua_State *L, http_transfer *t, int value);

static long milliseconds(lua_Number seconds) {
  if (seconds <= 0) return 0;
  if (seconds > 1e6) return 1000000000L;
  return seconds < 0.001 ? 1L : (long)(seconds * 1000 + 0.5);
}

static void set_text(lua_State *L, http_transfer *t, CURLoption option, int value) {
  curl_easy_setopt(t->easy, option, lua_toboolean(L, value) ? luaL_checkstring(L, value) : NULL);
}

static void set_blob(lua_State *L, http_transfer *t, CURLoption option, int value) {
  struct curl_blob blob = {.flags = CURL_BLOB_COPY};
  const char *data = luaL_checklstring(L, value, &blob.len);
  memcpy(&blob.data, &data,
         sizeof data); /* libcurl copies what it may not write to; the field is not const */
  curl_easy_setopt(t->easy, option, &blob);
}

static void apply_timeout(lua_State *L, http_transfer *t, int value) {
  t->timeout = luaL_checknumber(L, value);
  curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, milliseconds(t->timeout));
}

static void apply_connect_timeout(lua_State *L, http_transfer *t, int value) {
  t->connect_timeout = luaL_checknumber(L, value);
  curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(t->connect_timeout));
}

static void apply_max_size(lua_State *L, http_transfer *t, int value) {
  lua_Number n = luaL_checknumber(L, value);
  t->limit = n >= 9e18 ? SIZE_MAX : (size_t)n;
}

static void apply_redirects(lua_State *L, http_transfer *t, int value) {
  long n = (long)luaL_checkinteger(L, value);
  t->following = n > 0;
  curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, n > 0 ? 1L : 0L);
  curl_easy_setopt(t->easy, CURLOPT_MAXREDIRS, n);
}

static void apply_version(lua_State *L, http_transfer *t, int value) {
  static const char *const names[] = {"1.0", "1.1", "2", "2-prior-knowledge", "3", NULL};
  static const long versions[] = {CURL_HTTP_VERSION_1_0, CURL_HTTP_VERSION_1_1,
                                  CURL_HTTP_VERSION_2_0, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
                                  CURL_HTTP_VERSION_3};
  int n = luaL_checkoption(L, value, NULL, names);
  if (curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, versions[n]) != CURLE_OK)
    it_usage(L, "the installed libcurl (%s) cannot do HTTP/%s",
             curl_version_info(CURLVERSION_NOW)->version, lua_tostring(L, value));
}

static void apply_auth(lua_State *L, http_transfer *t, int value) {
  const char *scheme = luaL_checkstring(L, value);
  t->digest = !strcmp(scheme, "digest");
  curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)(t->digest ? CURLAUTH_DIGEST : CURLAUTH_BASIC));
}

static void apply_user(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_USERNAME, value);
}

static void apply_password(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_PASSWORD, value);
}

static void via(lua_State *L, http_transfer *t, int value) {
  if (!lua_toboolean(L, value)) return;
  free(t->via);
  t->via = it_strdup(luaL_checkstring(L, value));
}

static void apply_proxy(lua_State *L, http_transfer *t, int value) {
  /* "" is no proxy at all, whatever the environment says */
  const char *proxy = lua_toboolean(L, value) ? luaL_checkstring(L, value) : "";
  via(L, t, value);
  curl_easy_setopt(t->easy, CURLOPT_PROXY, proxy);
}

static void apply_direct(lua_State *L, http_transfer *t, int value) {
  if (lua_toboolean(L, value)) curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
}

static void apply_no_proxy(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_NOPROXY, value);
}

static void apply_unix_socket(lua_State *L, http_transfer *t, int value) {
  via(L, t, value);
  set_text(L, t, CURLOPT_UNIX_SOCKET_PATH, value);
}

static void apply_ca(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_CAINFO, value);
}

static void apply_ca_pem(lua_State *L, http_transfer *t, int value) {
  set_blob(L, t, CURLOPT_CAINFO_BLOB, value);
}

static void apply_cert(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_SSLCERT, value);
}

static void apply_cert_pem(lua_State *L, http_transfer *t, int value) {
  set_blob(L, t, CURLOPT_SSLCERT_BLOB, value);
}

static void apply_key(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_SSLKEY, value);
}

static void apply_key_pem(lua_State *L, http_transfer *t, int value) {
  set_blob(L, t, CURLOPT_SSLKEY_BLOB, value);
}

static void apply_key_password(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_KEYPASSWD, value);
}

static void apply_verify(lua_State *L, http_transfer *t, int value) {
  bool verify = lua_toboolean(L, value);
  curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
  curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
  curl_easy_setopt(t->easy, CURLOPT_PROXY_SSL_VERIFYPEER, verify ? 1L : 0L);
  curl_easy_setopt(t->easy, CURLOPT_PROXY_SSL_VERIFYHOST, verify ? 2L : 0L);
}

static void apply_tls_version(lua_State *L, http_transfer *t, int value) {
  static const char *const names[] = {"1.0", "1.1", "1.2", "1.3", NULL};
  static const long exactly[] = {CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_0,
                                 CURL_SSLVERSION_TLSv1_1 | CURL_SSLVERSION_MAX_TLSv1_1,
                                 CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2,
                                 CURL_SSLVERSION_TLSv1_3 | CURL_SSLVERSION_MAX_TLSv1_3};
  curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, exactly[luaL_checkoption(L, value, NULL, names)]);
}

static void apply_decompress(lua_State *L, http_transfer *t, int value) {
  curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, lua_toboolean(L, value) ? "" : NULL);
}

static void apply_keep_alive(lua_State *L, http_transfer *t, int value) {
  curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, lua_toboolean(L, value) ? 0L : 1L);
  curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, lua_toboolean(L, value) ? 0L : 1L);
}

static void apply_cookie(lua_State *L, http_transfer *t, int value) {
  set_text(L, t, CURLOPT_COOKIE, value);
}

static void apply_connect_to(lua_State *L, http_transfer *t, int value) {
  t->altered = true;
  t->connect_to = http_lines(L, value, t->connect_to);
  curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
}

static const struct setting {
  const char *name;
  apply_fn *apply;
} settings[] = {
    /* in the order of strcmp */
    {"auth", apply_auth},
    {"ca", apply_ca},
    {"ca_pem", apply_ca_pem},
    {"cert", apply_cert},
    {"cert_pem", apply_cert_pem},
    {"connect_timeout", apply_connect_timeout},
    {"connect_to", apply_connect_to},
    {"cookie", apply_cookie},
    {"decompress", apply_decompress},
    {"direct", apply_direct},
    {"keep_alive", apply_keep_alive},
    {"key", apply_key},
    {"key_password", apply_key_password},
    {"key_pem", apply_key_pem},
    {"max_size", apply_max_size},
    {"no_proxy", apply_no_proxy},
    {"password", apply_password},
    {"proxy", apply_proxy},
    {"redirects", apply_redirects},
    {"timeout", apply_timeout},
    {"tls_version", apply_tls_version},
    {"unix_socket", apply_unix_socket},
    {"user", apply_user},
    {"verify", apply_verify},
    {"version", apply_version},
};

static int by_name(const void *key, const void *entry) {
  return strcmp(key, ((const struct setting *)entry)->name);
}

/* Other fields (headers, body, …) are not settings and are left alone. */
void http_settings_apply(lua_State *L, int idx, http_transfer *t) {
  lua_pushnil(L);
  while (lua_next(L, idx)) {
    const struct setting *s = NULL;
    if (lua_type(L, -2) == LUA_TSTRING)
      s = bsearch(lua_tostring(L, -2), settings, sizeof settings / sizeof *settings,
                  sizeof *settings, by_name);
    if (s) s->apply(L, t, lua_gettop(L));
    lua_pop(L, 1);
  }
}
