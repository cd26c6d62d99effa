# The build that `npm install` runs. native/CMakeLists.txt is the one for tests and sanitizers; both read native/sources.txt.
{
  "variables": {
    "list_sources": "require('fs').readFileSync('native/sources.txt', 'utf8').match(/^[a-z].*[.]cc$/gm).map((line) => 'native/' + line).join(' ')",
    # A request passes through seven small files; inlined across them it takes a fifth less. clang would need its own linker,
    # which zig has.
    "lto": "<!(node -p \"/zig/.test(process.env.CXX) ? '-flto' : /clang/.test(process.env.CXX) ? '' : '-flto=auto'\")",
    # By itself gcc clears a hundred bytes and more by `rep stos`, which takes 8 ns to begin: a request has as many.
    "clearing": "-mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign",
    # prebuildify runs this build and sets the variable: a binary for other machines than this one.
    "prebuild": "<!(node -p \"process.env.PREBUILD_LIBC ?? ''\")"
  },
  "targets": [
    {
      "target_name": "rumpblk",
      "sources": ["<!@(node -p \"<(list_sources)\")"],
      "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "_FILE_OFFSET_BITS=64", "NODE_ADDON_API_DISABLE_DEPRECATED"],
      "cflags": ["-pthread", "-fvisibility=hidden"],
      # Exceptions, which gyp forbids by default: creating a thread throws, and core turns that into a Status.
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-exceptions"],
      "cflags_cc": ["-std=c++20", "-Wall", "-Wextra", "-fvisibility-inlines-hidden"],
      "conditions": [
        # Never unloaded: the SIGBUS handler and the I/O threads may outlive the environment that loaded the addon.
        ["OS=='linux'", {"ldflags": ["-pthread", "-Wl,-z,nodelete"]}],
        ["OS=='linux' and lto!=''", {"configurations": {"Release": {"cflags": ["<(lto)"], "ldflags": ["-O3", "<(lto)"]}}}],
        ["OS=='linux' and lto=='-flto=auto' and target_arch=='x64'", {"cflags": ["<(clearing)"], "ldflags": ["<(clearing)"]}],
        # Brings its C++ library along, invisible to others, and needs no glibc younger than Node's own. zig links its own anyhow.
        ["OS=='linux' and prebuild!=''", {"ldflags": ["-Wl,--version-script=<(module_root_dir)/native/prebuild/exports.map"]}],
        ["OS=='linux' and prebuild=='glibc'", {"ldflags": ["-static-libstdc++"], "dependencies": ["glibc_2_28"]}],
        ["OS=='mac'", {
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0"
          }
        }]
      ],
      "configurations": {"Release": {"defines": ["NDEBUG"], "cflags": ["-O3"]}}
    }
  ],
  "conditions": [
    ["OS=='linux' and prebuild=='glibc'", {
      # Without link-time optimisation, which loses versions of symbols.
      "targets": [{
        "target_name": "glibc_2_28",
        "type": "static_library",
        "sources": ["native/prebuild/glibc_2_28.c"],
        "cflags": ["-fPIC", "-Wall", "-Wextra", "-Wno-maybe-uninitialized"]
      }]
    }]
  ]
}
