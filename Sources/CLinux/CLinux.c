// The module is its headers; this file gives the build a source to compile.
