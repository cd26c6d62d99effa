// Required by node before jest in a sanitizer run. The runtime in LD_PRELOAD and its options go on to every program that
// a test starts. Those of others leak at their end, and strace leaves no room for the leak check, so it stays here.
'use strict';

if (process.env.ASAN_OPTIONS) process.env.ASAN_OPTIONS += ':detect_leaks=0';
