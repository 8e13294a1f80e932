import type { HttpPermission } from '../../src/model/intention.js';

export const HOSTILE = `a.b/c"\\'<>&|\u2028\u00e4\u{1f512}`;

/** Permissions with every field that scopemesh writes. */
export function everyPermission(provider: string): readonly HttpPermission[] {
  return [
    { pathPrefix: '/', jwt: { provider, verifyClaims: [] } },
    {
      methods: ['GET', 'POST'],
      pathExact: '/v1',
      headers: [
        { name: 'x-a', exact: HOSTILE },
        { name: 'x-b', present: true, invert: true },
      ],
      jwt: {
        provider,
        verifyClaims: [
          { path: ['act', 'sub'], value: HOSTILE },
          { path: ['https://claims.example.com/a.b'], value: 'bot' },
        ],
      },
    },
    { pathRegex: '/v[0-9]+/.*' },
  ];
}
