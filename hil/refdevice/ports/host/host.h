/* What the files of this port share. */
#ifndef HOST_H
#define HOST_H

#include <stdbool.h>
#include <stdio.h>

/* The line: open it anew and wait until somebody is there, or take over the descriptors that the last start had. */
bool line_open(const char *port);
void line_take(const char *descriptors);
void line_descriptors(char *text, unsigned room);

/* Where the display is drawn. */
extern FILE *display_file;

#endif
