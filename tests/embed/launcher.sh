#!/bin/sh
# launcher.sh CCACHE COMPILER ARGUMENT…: ccache knows a compilation again only under the same name of its object (-MT). In a host's build the
# library's objects are mainspring/CMakeFiles/…; ccache is asked for CMakeFiles/…, as in a build of the library alone, and the list of
# dependencies gets the real name afterwards.
target= depfile= before=
for argument in "$@"; do
  shift
  case $before in
    -MT) target=$argument; set -- "$@" "${argument#mainspring/}" ;;
    -MF) depfile=$argument; set -- "$@" "$argument" ;;
    *) set -- "$@" "$argument" ;;
  esac
  before=$argument
done
"$@" || exit
[ "$target" = "${target#mainspring/}" ] || sed -i "1s|^${target#mainspring/}:|$target:|" "$depfile"
