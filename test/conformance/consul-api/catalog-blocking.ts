import { exchange, type Scenario } from './exchange.js';

export const catalogBlocking: Scenario = {
  name: 'waiting on the catalog',
  exchanges: [
    exchange(
      'a service with a check',
      'PUT /v1/catalog/register',
      { status: 200, body: true },
      {
        body: {
          Node: 'out',
          Address: '10.0.0.1',
          Service: { ID: 'web-1', Service: 'web', Port: 80 },
          Check: { Name: 'up', CheckID: 'web:up', ServiceID: 'web-1', Status: 'passing' },
        },
      },
    ),
    exchange(
      'a change of status wakes',
      'GET /v1/health/service/web',
      {
        status: 200,
        body: [
          {
            Node: {
              ID: '',
              Node: 'out',
              Address: '10.0.0.1',
              Datacenter: 'dc1',
              TaggedAddresses: null,
              Meta: null,
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
            Service: {
              ID: 'web-1',
              Service: 'web',
              Tags: [],
              Address: '',
              Meta: null,
              Port: 80,
              Weights: { Passing: 1, Warning: 1 },
              EnableTagOverride: false,
              Proxy: { Mode: '', MeshGateway: {}, Expose: {} },
              Connect: {},
              PeerName: '',
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
            Checks: [
              {
                Node: 'out',
                CheckID: 'web:up',
                Name: 'up',
                Status: 'critical',
                Notes: '',
                Output: '',
                ServiceID: 'web-1',
                ServiceName: 'web',
                ServiceTags: [],
                Type: '',
                Interval: '',
                Timeout: '',
                ExposedPort: 0,
                Definition: {},
                CreateIndex: '<index 1>',
                ModifyIndex: '<index 2>',
              },
            ],
          },
        ],
        index: '<index 2>',
        consistency: 'leader',
        woken: true,
      },
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/catalog/register',
              body: {
                Node: 'out',
                SkipNodeUpdate: true,
                Check: { Name: 'up', CheckID: 'web:up', ServiceID: 'web-1', Status: 'critical' },
              },
            },
          ],
        },
      },
    ),
    exchange(
      'an equal registration does not',
      'GET /v1/health/service/web',
      {
        status: 200,
        body: [
          {
            Node: {
              ID: '',
              Node: 'out',
              Address: '10.0.0.1',
              Datacenter: 'dc1',
              TaggedAddresses: null,
              Meta: null,
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
            Service: {
              ID: 'web-1',
              Service: 'web',
              Tags: [],
              Address: '',
              Meta: null,
              Port: 80,
              Weights: { Passing: 1, Warning: 1 },
              EnableTagOverride: false,
              Proxy: { Mode: '', MeshGateway: {}, Expose: {} },
              Connect: {},
              PeerName: '',
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
            Checks: [
              {
                Node: 'out',
                CheckID: 'web:up',
                Name: 'up',
                Status: 'critical',
                Notes: '',
                Output: '',
                ServiceID: 'web-1',
                ServiceName: 'web',
                ServiceTags: [],
                Type: '',
                Interval: '',
                Timeout: '',
                ExposedPort: 0,
                Definition: {},
                CreateIndex: '<index 1>',
                ModifyIndex: '<index 2>',
              },
            ],
          },
        ],
        index: '<index 2>',
        consistency: 'leader',
        woken: false,
      },
      {
        blocks: {
          wait: '1s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/catalog/register',
              body: {
                Node: 'out',
                SkipNodeUpdate: true,
                Check: { Name: 'up', CheckID: 'web:up', ServiceID: 'web-1', Status: 'critical' },
              },
            },
          ],
        },
      },
    ),
    exchange(
      'another service does not',
      'GET /v1/health/service/web',
      {
        status: 200,
        body: [
          {
            Node: {
              ID: '',
              Node: 'out',
              Address: '10.0.0.1',
              Datacenter: 'dc1',
              TaggedAddresses: null,
              Meta: null,
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
            Service: {
              ID: 'web-1',
              Service: 'web',
              Tags: [],
              Address: '',
              Meta: null,
              Port: 80,
              Weights: { Passing: 1, Warning: 1 },
              EnableTagOverride: false,
              Proxy: { Mode: '', MeshGateway: {}, Expose: {} },
              Connect: {},
              PeerName: '',
              CreateIndex: '<index 1>',
              ModifyIndex: '<index 1>',
            },
            Checks: [
              {
                Node: 'out',
                CheckID: 'web:up',
                Name: 'up',
                Status: 'critical',
                Notes: '',
                Output: '',
                ServiceID: 'web-1',
                ServiceName: 'web',
                ServiceTags: [],
                Type: '',
                Interval: '',
                Timeout: '',
                ExposedPort: 0,
                Definition: {},
                CreateIndex: '<index 1>',
                ModifyIndex: '<index 2>',
              },
            ],
          },
        ],
        index: '<index 2>',
        consistency: 'leader',
        woken: false,
      },
      {
        blocks: {
          wait: '1s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/catalog/register',
              body: { Node: 'out', SkipNodeUpdate: true, Service: { Service: 'other' } },
            },
          ],
        },
      },
    ),
    exchange(
      'the list of services wakes for a new one',
      'GET /v1/catalog/services',
      {
        status: 200,
        body: { consul: [], other: [], third: [], web: [] },
        index: '<index 3>',
        consistency: 'leader',
        woken: true,
      },
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/catalog/register',
              body: { Node: 'out', SkipNodeUpdate: true, Service: { Service: 'third' } },
            },
          ],
        },
      },
    ),
    exchange(
      'the last instance’s end wakes',
      'GET /v1/catalog/service/web',
      { status: 200, body: [], index: '<index 4>', consistency: 'leader', woken: true },
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            { method: 'PUT', path: '/v1/catalog/deregister', body: { Node: 'out', ServiceID: 'web-1' } },
          ],
        },
      },
    ),
    exchange(
      'a check that is gone wakes who waits on the node’s checks',
      'GET /v1/health/node/out',
      {
        status: 200,
        body: [
          {
            Node: 'out',
            CheckID: 'late',
            Name: 'late',
            Status: 'passing',
            Notes: '',
            Output: '',
            ServiceID: '',
            ServiceName: '',
            ServiceTags: [],
            Type: '',
            Interval: '',
            Timeout: '',
            ExposedPort: 0,
            Definition: {},
            CreateIndex: '<index 5>',
            ModifyIndex: '<index 5>',
          },
        ],
        index: '<index 5>',
        consistency: 'leader',
        woken: true,
      },
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/catalog/register',
              body: { Node: 'out', SkipNodeUpdate: true, Check: { Name: 'late', Status: 'passing' } },
            },
          ],
        },
      },
    ),
    exchange(
      'nodes wake for a new one',
      'GET /v1/catalog/nodes?node-meta=zone:b',
      {
        status: 200,
        body: [
          {
            ID: '',
            Node: 'zoned',
            Address: '10.0.0.7',
            Datacenter: 'dc1',
            TaggedAddresses: null,
            Meta: { zone: 'b' },
            CreateIndex: '<index 6>',
            ModifyIndex: '<index 6>',
          },
        ],
        index: '<index 6>',
        consistency: 'leader',
        woken: true,
      },
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/catalog/register',
              body: { Node: 'zoned', Address: '10.0.0.7', NodeMeta: { zone: 'b' } },
            },
          ],
        },
      },
    ),
    exchange(
      'a first instance wakes',
      'GET /v1/catalog/service/fresh',
      {
        status: 200,
        body: [
          {
            ID: '',
            Node: 'out',
            Address: '10.0.0.1',
            Datacenter: 'dc1',
            TaggedAddresses: null,
            NodeMeta: null,
            ServiceKind: '',
            ServiceID: 'fresh',
            ServiceName: 'fresh',
            ServiceTags: [],
            ServiceAddress: '',
            ServiceWeights: { Passing: 1, Warning: 1 },
            ServiceMeta: {},
            ServicePort: 0,
            ServiceSocketPath: '',
            ServiceEnableTagOverride: false,
            ServiceProxy: { Mode: '', MeshGateway: {}, Expose: {} },
            ServiceConnect: {},
            CreateIndex: '<index 7>',
            ModifyIndex: '<index 7>',
          },
        ],
        index: '<index 7>',
        consistency: 'leader',
        woken: true,
      },
      {
        blocks: {
          wait: '5s',
          meanwhile: [
            {
              method: 'PUT',
              path: '/v1/catalog/register',
              body: { Node: 'out', SkipNodeUpdate: true, Service: { Service: 'fresh' } },
            },
          ],
        },
      },
    ),
  ],
};
