/*
 * bindings.c - the table of built-in bindings, one line each.
 *
 * A light binding is linked in. One whose library takes milliseconds to load is a module of its own, embedded in the
 * program, and loaded when a state first requires it.
 */
#include "bindings.h"

/* clang-format off */
#define LINKED(name) {"itlua." #name ".core", luaopen_itlua_##name##_core, NULL}
#define LOADED(name) {"itlua." #name ".core", NULL, #name}

const it_binding it_bindings[] = {
    LINKED(container),
    LINKED(dns),
    LINKED(encode),
    LINKED(fs),
    LINKED(json),
    LINKED(process),
    LOADED(crypto),
    LOADED(edit),
    LOADED(http),
    LOADED(kafka),
    LOADED(redis),
    LOADED(server),
    LOADED(yaml),
    LOADED(sql),
    {"itlua.kafka.mock", NULL, "kafka"},
    {NULL, NULL, NULL},
};
/* clang-format on */
