add_library(mainspring_sanitizers INTERFACE)
if(MAINSPRING_SANITIZE)
  target_compile_options(mainspring_sanitizers INTERFACE -fsanitize=${MAINSPRING_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    -O1 -g1  # gcc 12 takes 31 s for lib/import/gguf.cpp with address,undefined at -O2 -g, 14 s so; a report still names functions and lines
    -fno-sanitize=vptr)  # the library has no RTTI, its tests have
  target_link_options(mainspring_sanitizers INTERFACE -fsanitize=${MAINSPRING_SANITIZE})
endif()
