/* embed.h - where Lua modules and bindings come from: out of the program itself, or from disk while one works on them. */
#ifndef ITLUA_EMBED_H
#define ITLUA_EMBED_H

#include "../core/core.h"

extern const it_host it_program; /* what the core asks for modules */

#endif
