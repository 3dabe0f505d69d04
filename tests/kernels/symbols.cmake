# Fails when an object compiled for one instruction set offers the linker a symbol that is not its
# own: of two objects that define one weak symbol the linker keeps either, and code for AVX-512
# would then run on every machine.
#
#   cmake -D NM=nm -D ISA=avx2 -D "OBJECTS=a.o;b.o" -P symbols.cmake
cmake_minimum_required(VERSION 3.24)

string(LENGTH ${ISA} length)
set(own "_ZN2pt${length}${ISA}")  # pt::ISA::
# Data that the compiler emits the same everywhere: where the handler of exceptions is, and marks of
# AddressSanitizer.
set(data "(DW\\.ref\\.__gxx_personality_v0|__odr_asan\\..*)")

set(checked 0)
foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND ${NM} --defined-only --extern-only --format=posix ${object}
                  OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" lines "${listing}")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([^ ]+) ([A-Za-z])" symbol "${line}")
    set(name "${CMAKE_MATCH_1}")
    set(kind "${CMAKE_MATCH_2}")
    math(EXPR checked "${checked} + 1")
    if(name MATCHES "^${data}$" OR (name MATCHES "^${own}" AND kind MATCHES "^[TDRB]$"))
      continue()
    endif()
    message(SEND_ERROR "${object} defines ${name} (${kind}), which is not pt::${ISA}'s alone")
  endforeach()
endforeach()
if(checked EQUAL 0)
  message(FATAL_ERROR "no symbols in '${OBJECTS}'")
endif()
message("${checked} symbols, all of pt::${ISA}")
