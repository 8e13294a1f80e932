import { exchange, type Scenario } from './exchange.js';

export const intentionLegacy: Scenario = {
  name: 'intentions of the old API',
  exchanges: [
    exchange(
      'one is created',
      'POST /v1/connect/intentions',
      { status: 200, body: { ID: '<uuid 1>' } },
      {
        body: { SourceName: 'web', DestinationName: 'old', Action: 'allow', Meta: { a: 'b' } },
        save: { id: 'ID' },
      },
    ),
    exchange('it carries its id and Meta', 'GET /v1/config/service-intentions/old', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'old',
        Sources: [
          {
            Name: 'web',
            Action: 'allow',
            Precedence: 9,
            LegacyID: '<uuid 1>',
            Type: 'consul',
            LegacyMeta: { a: 'b' },
            LegacyCreateTime: '<time>',
            LegacyUpdateTime: '<time>',
          },
        ],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
      index: '<index 1>',
    }),
    exchange('and is read by it', 'GET /v1/connect/intentions/{{id}}', {
      status: 200,
      body: {
        CreatedAt: '<time>',
        UpdatedAt: '<time>',
        ID: '<uuid 1>',
        SourceNS: 'default',
        SourceName: 'web',
        DestinationNS: 'default',
        DestinationName: 'old',
        SourceType: 'consul',
        Action: 'allow',
        Meta: { a: 'b' },
        Precedence: 9,
        Hash: '<hash>',
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      },
    }),
    exchange(
      'a whole-entry write with its Meta is refused',
      'PUT /v1/config',
      { status: 500, body: 'Sources[0].LegacyMeta must be omitted' },
      {
        body: {
          Kind: 'service-intentions',
          Name: 'old',
          Sources: [{ Name: 'web', Action: 'allow', LegacyMeta: { a: 'b' } }],
        },
      },
    ),
    exchange(
      'one without drops the id',
      'PUT /v1/config',
      { status: 200, body: true },
      { body: { Kind: 'service-intentions', Name: 'old', Sources: [{ Name: 'web', Action: 'allow' }] } },
    ),
    exchange('which is gone', 'GET /v1/config/service-intentions/old', {
      status: 200,
      body: {
        Kind: 'service-intentions',
        Name: 'old',
        Sources: [{ Name: 'web', Action: 'allow', Precedence: 9, Type: 'consul' }],
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 2>',
      },
      index: '<index 2>',
    }),
    exchange('also by id', 'GET /v1/connect/intentions/{{id}}', { status: 404, body: 'Intention not found' }),
    exchange(
      'and the old API is closed for that destination',
      'POST /v1/connect/intentions',
      {
        status: 500,
        body: 'cannot use legacy intention API to edit intentions with a destination of "old" after editing them via a service-intentions config entry',
      },
      { body: { SourceName: 'batch', DestinationName: 'old', Action: 'allow' } },
    ),
    exchange(
      'the same source twice',
      'POST /v1/connect/intentions',
      { status: 200, body: { ID: '<uuid 2>' } },
      { body: { SourceName: 'web', DestinationName: 'twice', Action: 'allow' }, save: { twice: 'ID' } },
    ),
    exchange(
      'is refused',
      'POST /v1/connect/intentions',
      { status: 500, body: 'Sources[1] defines "web" more than once' },
      { body: { SourceName: 'web', DestinationName: 'twice', Action: 'deny' } },
    ),
    exchange(
      'an update by id',
      'PUT /v1/connect/intentions/{{twice}}',
      { status: 200, body: { ID: '<uuid 2>' } },
      { body: { SourceName: 'web', DestinationName: 'twice', Action: 'deny' } },
    ),
    exchange(
      'may not move it',
      'PUT /v1/connect/intentions/{{twice}}',
      {
        status: 500,
        body: 'Cannot modify Destination partition/namespace/name for an intention once it exists.',
      },
      { body: { SourceName: 'web', DestinationName: 'moved', Action: 'deny' } },
    ),
    exchange('a delete by id', 'DELETE /v1/connect/intentions/{{twice}}', { status: 200, body: true }),
    exchange('empties the list', 'GET /v1/config/service-intentions/twice', {
      status: 404,
      body: 'Config entry not found for "service-intentions" / "twice"',
      index: '<index 3>',
    }),
    exchange('an id that is none', 'GET /v1/connect/intentions/7', {
      status: 400,
      body: 'failed config entry lookup: index error: UUID must be 36 characters',
    }),
    exchange('an unknown id', 'GET /v1/connect/intentions/00000000-0000-0000-0000-00000000000f', {
      status: 404,
      body: 'Intention not found',
    }),
    exchange(
      'a delete of an unknown id',
      'DELETE /v1/connect/intentions/00000000-0000-0000-0000-00000000000f',
      { status: 500, body: "Cannot delete non-existent intention: '00000000-0000-0000-0000-00000000000f'" },
    ),
  ],
};
