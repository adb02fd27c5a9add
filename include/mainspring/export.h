// Symbol visibility. The library is built with hidden visibility; only what carries MAINSPRING_API leaves a shared build.
#pragma once

#if defined(_WIN32)
#if defined(MAINSPRING_SHARED_BUILD)
#define MAINSPRING_API __declspec(dllexport)
#elif defined(MAINSPRING_SHARED)
#define MAINSPRING_API __declspec(dllimport)
#else
#define MAINSPRING_API
#endif
#else
#define MAINSPRING_API __attribute__((visibility("default")))
#endif
