// Version of the library. Before 1.0 no ABI is promised; the inline namespace v0 turns a mix of versions into a link error.
#pragma once

#define MAINSPRING_VERSION_MAJOR 0
#define MAINSPRING_VERSION_MINOR 1
#define MAINSPRING_VERSION_PATCH 0
#define MAINSPRING_VERSION "0.1.0"
