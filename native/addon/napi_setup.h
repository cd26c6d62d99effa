// The one include of <napi.h>, so that its configuration stands in front of it everywhere.
// C++ exceptions of node-addon-api are off: failures of Node-API calls stay pending in JavaScript, and errors of ours
// cross as integers (lib/errors.ts makes the Error).
#ifndef RUMPBLK_ADDON_NAPI_SETUP_H_
#define RUMPBLK_ADDON_NAPI_SETUP_H_

#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif
#ifndef NAPI_DISABLE_CPP_EXCEPTIONS
#define NAPI_DISABLE_CPP_EXCEPTIONS
#endif
// A worker thread that is being terminated takes no exceptions: the process would end instead of the thread.
#ifndef NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#endif
#include <napi.h>

#endif  // RUMPBLK_ADDON_NAPI_SETUP_H_
