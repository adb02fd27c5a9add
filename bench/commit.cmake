# cmake -DSOURCE=… -DOUTPUT=… -P commit.cmake: writes the header when the commit has changed, so that nothing is compiled for nothing.
cmake_minimum_required(VERSION 3.22)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --exclude=* OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define MAINSPRING_BENCH_COMMIT \"@commit@\"\n" @ONLY)
