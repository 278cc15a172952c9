/* output.h - what tests print: for channel.c, which sends it. The functions for everybody else are in channel.h. */
#ifndef ITLUA_OUTPUT_H
#define ITLUA_OUTPUT_H

#include "ipc.h"

void it_output_open(it_shared *shared); /* starts the thread that reads what is printed */
void it_output_forget(void);            /* in a child of the worker that is no program of its own */
void it_output_close(void);             /* ends it */

#endif
