add_library(mainspring_warnings INTERFACE)
target_compile_options(mainspring_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor)
if(MAINSPRING_WERROR)
  target_compile_options(mainspring_warnings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc 12 sees uninitialised lanes in the intrinsics' own headers (_mm512_undefined_*, PR105593) and out-of-bounds reads that are not there
  target_compile_options(mainspring_warnings INTERFACE -Wno-maybe-uninitialized -Wno-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-stringop-overread -Wno-restrict)
endif()
