import { exchange, type Scenario } from './exchange.js';

export const entryBodies: Scenario = {
  name: 'bodies that are no config entry',
  exchanges: [
    exchange(
      'an empty body',
      'PUT /v1/config',
      { status: 400, body: 'Request decoding failed: EOF' },
      { text: '' },
    ),
    exchange(
      'a cut body',
      'PUT /v1/config',
      { status: 400, body: 'Request decoding failed: unexpected EOF' },
      { text: '{"Kind":"service-intentions"' },
    ),
    exchange(
      'a body that is no object',
      'PUT /v1/config',
      { status: 400, body: "Request decoding failed: '' expected a map, got 'string'" },
      { text: '"service-intentions"' },
    ),
    exchange(
      'a list',
      'PUT /v1/config',
      { status: 400, body: "Request decoding failed: '' expected a map, got 'slice'" },
      { text: '[]' },
    ),
    exchange(
      'no kind',
      'PUT /v1/config',
      {
        status: 400,
        body: 'Request decoding failed: Payload does not contain a kind/Kind key at the top level',
      },
      { body: { Name: 'api' } },
    ),
    exchange(
      'a kind that is no text',
      'PUT /v1/config',
      { status: 400, body: 'Request decoding failed: Kind value in payload is not a string' },
      { body: { Kind: 7, Name: 'api' } },
    ),
    exchange(
      'an unknown kind',
      'PUT /v1/config',
      { status: 400, body: 'Request decoding failed: invalid config entry kind: service-wishes' },
      { body: { Kind: 'service-wishes', Name: 'api' } },
    ),
    exchange(
      'an unknown field',
      'PUT /v1/config',
      {
        status: 400,
        body: 'Request decoding failed: 1 error occurred:\n\t* invalid config key "Colour"\n\n',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Action: 'allow' }],
          Colour: 'red',
        },
      },
    ),
    exchange(
      'an unknown field of a source',
      'PUT /v1/config',
      {
        status: 400,
        body: 'Request decoding failed: 1 error occurred:\n\t* invalid config key "Sources[0].Colour"\n\n',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Action: 'allow', Colour: 'red' }],
        },
      },
    ),
    exchange(
      'a namespace',
      'PUT /v1/config',
      {
        status: 400,
        body: 'Request decoding failed: 1 error occurred:\n\t* invalid config key "Sources[0].Namespace", namespaces are a consul enterprise feature\n\n',
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Action: 'allow', Namespace: 'team' }],
        },
      },
    ),
    exchange(
      'an object where text is wanted',
      'PUT /v1/config',
      {
        status: 400,
        body: "Request decoding failed: 1 error(s) decoding:\n\n* 'Sources[0].Description' expected type 'string', got unconvertible type 'map[string]interface {}', value: 'map[a:1]'",
      },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'api',
          Sources: [{ Name: 'web', Action: 'allow', Description: { a: 1 } }],
        },
      },
    ),
    exchange(
      'a permission of the wrong type',
      'PUT /v1/config',
      {
        status: 400,
        body: "Request decoding failed: 1 error(s) decoding:\n\n* 'Sources[0].Permissions[0]' expected a map, got 'string'",
      },
      { body: { Kind: 'service-intentions', Name: 'api', Sources: [{ Name: 'web', Permissions: 'all' }] } },
    ),
    exchange('another method', 'POST /v1/config', {
      status: 405,
      body: 'method POST not allowed',
      allow: 'OPTIONS,PUT',
    }),
    exchange('the methods on offer', 'OPTIONS /v1/config/', {
      status: 200,
      body: '',
      allow: 'OPTIONS,GET,DELETE',
    }),
  ],
};
