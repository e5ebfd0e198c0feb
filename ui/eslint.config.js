import js from '@eslint/js'
import hooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

const features = ['auth', 'files', 'overview', 'tasks', 'workers']

// forbid makes a rule of the house: files of a folder may not import the groups.
const forbid = (files, group, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group, message }] }] },
})

export default tseslint.config(
  { ignores: ['dist', 'src/api/generated'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  hooks.configs.flat.recommended,
  {
    rules: {
      'max-lines': ['error', 400],
      'no-console': 'error',
      'no-undef': 'off', // the compiler knows better
      eqeqeq: 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'crypto',
          property: 'randomUUID',
          message: 'it is not there in a page that came by plain HTTP; see lib/key',
        },
      ],
    },
  },
  ...features.map((name) =>
    forbid(
      [`src/features/${name}/**`],
      ['@/app/*', ...features.filter((other) => other !== name).map((other) => `@/features/${other}/*`)],
      'features do not know each other; src/app puts them together',
    ),
  ),
  forbid(
    ['src/components/**', 'src/lib/**'],
    ['@/app/*', '@/features/*'],
    'what everybody uses knows nobody',
  ),
  forbid(['src/api/**'], ['@/app/*', '@/features/*', '@/components/*'], 'the API knows no pages'),
)
