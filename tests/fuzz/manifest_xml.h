/* SPDX-License-Identifier: MIT */
/* Whether a text is well-formed XML, as far as a manifest goes: elements, attributes, text and the entities that need no declaration. */
#ifndef MANIFEST_XML_H
#define MANIFEST_XML_H

#include <stdbool.h>

bool xml_is_well_formed(const char *text);

#endif
