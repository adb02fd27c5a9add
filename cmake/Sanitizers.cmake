add_library(mainspring_sanitizers INTERFACE)
if(MAINSPRING_SANITIZE)
  target_compile_options(mainspring_sanitizers INTERFACE -fsanitize=${MAINSPRING_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    -fno-sanitize=vptr)  # the library has no RTTI, its tests have
  target_link_options(mainspring_sanitizers INTERFACE -fsanitize=${MAINSPRING_SANITIZE})
endif()
