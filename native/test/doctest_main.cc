// main() of every unit test; compiled once, since doctest's implementation takes longer than the tests themselves.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
