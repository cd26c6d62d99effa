// Typed lint for everything that tsc sees, plain lint for the scripts. Layout is prettier's, so no rule is about it.
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** The part of Node's globals that the plain JavaScript files use. */
const NODE_GLOBALS = Object.fromEntries(
  ['Buffer', 'URL', 'console', 'module', 'performance', 'process', 'require', 'setTimeout', '__dirname'].map((name) => [name, 'readonly']),
);

export default defineConfig(
  { ignores: ['build/', 'coverage/', 'dist/', 'docs/', 'native/', 'prebuilds/', 'site/', 'node_modules/'] },
  js.configs.recommended,
  { rules: { 'no-empty': ['error', { allowEmptyCatch: true }] } },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{js,cjs,mjs}'],
    languageOptions: { globals: NODE_GLOBALS },
  },
  {
    files: ['**/*.{ts,mts}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Numbers in messages read well as they are.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => done()` and `return void f()` say what they mean.
      '@typescript-eslint/no-confusing-void-expression': 'off',
    },
  },
  {
    // Tests hand over what a caller without types might, and look into what came back.
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    // Programs with a gap, which a block of README.md fills.
    files: ['test/documents/around/*.mjs'],
    rules: { 'no-undef': 'off', 'no-unused-vars': 'off' },
  },
  {
    // Only tsc reads these: values are named for their types, as a user's imports are.
    files: ['test/types/**'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unused-vars': 'off',
    },
  },
);
