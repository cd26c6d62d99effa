// node-gyp-build comes without types. Only what lib/native/binding.ts uses.
declare module 'node-gyp-build' {
  /** Loads the addon of the package in `folder`: build/Release, build/Debug, then prebuilds/. */
  function nodeGypBuild(folder: string): unknown;
  export = nodeGypBuild;
}
