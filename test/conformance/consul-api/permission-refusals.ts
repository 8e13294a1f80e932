import { exchange, type Scenario } from './exchange.js';

export const permissionRefusals: Scenario = {
  name: 'L7 permissions that Consul refuses',
  exchanges: [
    exchange(
      'an http destination',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-defaults', Name: 'api', Protocol: 'http' } },
    ),
    exchange(
      'action and permissions together',
      'PUT /v1/config',
      { status: 500, body: 'Sources[0].Action must be omitted if Permissions are specified' },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Action: 'allow', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] },
          ],
        },
      },
    ),
    exchange(
      'a permission without action',
      'PUT /v1/config',
      { status: 500, body: "Sources[0].Permissions[0].Action must be set to 'allow' or 'deny'" },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ HTTP: { PathPrefix: '/' } }] }],
        },
      },
    ),
    exchange(
      'a permission without HTTP',
      'PUT /v1/config',
      { status: 500, body: 'Sources[0].Permissions[0].HTTP is required' },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow' }] }],
        },
      },
    ),
    exchange(
      'an empty HTTP',
      'PUT /v1/config',
      { status: 500, body: 'Sources[0].Permissions[0].HTTP should not be empty' },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: {} }] }],
        },
      },
    ),
    exchange(
      'a path without its slash',
      'PUT /v1/config',
      { status: 500, body: "Sources[0].Permissions[0].HTTP.PathExact doesn't start with '/': \"v1\"" },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathExact: 'v1' } }] }],
        },
      },
    ),
    exchange(
      'a prefix without its slash',
      'PUT /v1/config',
      { status: 500, body: "Sources[0].Permissions[0].HTTP.PathPrefix doesn't start with '/': \"v1\"" },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: 'v1' } }] }],
        },
      },
    ),
    exchange(
      'two kinds of path',
      'PUT /v1/config',
      {
        status: 500,
        body: 'Sources[0].Permissions[0].HTTP should only contain at most one of PathExact, PathPrefix, or PathRegex',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            { Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathExact: '/a', PathRegex: '/b' } }] },
          ],
        },
      },
    ),
    exchange(
      'a header without name',
      'PUT /v1/config',
      { status: 500, body: 'Sources[0].Permissions[0].HTTP.Header[0] missing required Name field' },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { Header: [{ Exact: 'a' }] } }] }],
        },
      },
    ),
    exchange(
      'a header without matcher',
      'PUT /v1/config',
      {
        status: 500,
        body: 'Sources[0].Permissions[0].HTTP.Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { Header: [{ Name: 'a' }] } }] }],
        },
      },
    ),
    exchange(
      'a header with two matchers',
      'PUT /v1/config',
      {
        status: 500,
        body: 'Sources[0].Permissions[0].HTTP.Header[0] should only contain one of Present, Exact, Prefix, Suffix, or Regex',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            {
              Name: 'web',
              Permissions: [{ Action: 'allow', HTTP: { Header: [{ Name: 'a', Exact: 'b', Prefix: 'c' }] } }],
            },
          ],
        },
      },
    ),
    exchange(
      'an unknown method',
      'PUT /v1/config',
      { status: 500, body: 'Sources[0].Permissions[0].HTTP.Methods contains an invalid method "FETCH"' },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { Methods: ['FETCH'] } }] }],
        },
      },
    ),
    exchange(
      'a method twice',
      'PUT /v1/config',
      { status: 500, body: 'Sources[0].Permissions[0].HTTP.Methods contains "GET" more than once' },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { Methods: ['GET', 'get'] } }] }],
        },
      },
    ),
    exchange(
      'a wildcard destination',
      'PUT /v1/config',
      {
        status: 500,
        body: 'Sources[0].Permissions cannot be specified on intentions with wildcarded destinations',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: '*',
          Sources: [{ Name: 'web', Permissions: [{ Action: 'allow', HTTP: { PathPrefix: '/' } }] }],
        },
      },
    ),
    exchange(
      'all that is right at once',
      'PUT /v1/config',
      { status: 200, body: true },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [
            {
              Name: 'web',
              Permissions: [
                {
                  Action: 'allow',
                  HTTP: {
                    PathPrefix: '/v1',
                    Methods: ['get', 'HEAD'],
                    Header: [{ Name: 'x', Present: true, Invert: true }],
                  },
                },
                { Action: 'deny', HTTP: { PathRegex: '/v2/.*' } },
              ],
            },
          ],
        },
      },
    ),
    exchange('methods are written in capitals', 'GET /v1/config/service-intentions/api', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'api',
        Sources: [
          {
            Name: 'web',
            Permissions: [
              {
                Action: 'allow',
                HTTP: {
                  PathPrefix: '/v1',
                  Header: [{ Name: 'x', Present: true, Invert: true }],
                  Methods: ['GET', 'HEAD'],
                },
              },
              { Action: 'deny', HTTP: { PathRegex: '/v2/.*' } },
            ],
            Precedence: 9,
            Type: 'consul',
          },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
  ],
};
