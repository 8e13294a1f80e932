import type { Field, Shape } from './shape.js';

const text = (name: string): Field => ({ name, kind: 'string', omitEmpty: true });
const number = (name: string): Field => ({ name, kind: 'int', omitEmpty: true });

const addressShape: Shape = [
  { name: 'Address', kind: 'string' },
  { name: 'Port', kind: 'int' },
];

const upstreamShape: Shape = [
  { name: 'DestinationType', kind: 'string' },
  text('DestinationNamespace'),
  text('DestinationPartition'),
  text('DestinationPeer'),
  { name: 'DestinationName', kind: 'string' },
  { name: 'Datacenter', kind: 'string' },
  text('LocalBindAddress'),
  number('LocalBindPort'),
  text('LocalBindSocketPath'),
  text('LocalBindSocketMode'),
  { name: 'Config', kind: 'any-map', omitEmpty: true },
  { name: 'MeshGateway', kind: { object: [text('Mode')] } },
];

/** A sidecar's settings, as the catalog keeps them. */
const proxyShape: Shape = [
  text('DestinationServiceName'),
  text('DestinationServiceID'),
  text('LocalServiceAddress'),
  number('LocalServicePort'),
  text('LocalServiceSocketPath'),
  { name: 'Mode', kind: 'string' },
  { name: 'Config', kind: 'any-map', omitEmpty: true },
  { name: 'Upstreams', kind: { list: upstreamShape }, omitEmpty: true },
  { name: 'MeshGateway', kind: { object: [text('Mode')] } },
  {
    name: 'Expose',
    kind: {
      object: [
        { name: 'Checks', kind: 'bool', omitEmpty: true },
        {
          name: 'Paths',
          kind: { list: [number('ListenerPort'), text('Path'), number('LocalPathPort'), text('Protocol')] },
          omitEmpty: true,
        },
      ],
    },
  },
  { name: 'TransparentProxy', kind: 'any-map', omitEmpty: true },
];

const weights: Field = {
  name: 'Weights',
  kind: {
    pointer: [
      { name: 'Passing', kind: 'int' },
      { name: 'Warning', kind: 'int' },
    ],
  },
};

const serviceFields: Shape = [
  { name: 'Kind', kind: 'string' },
  { name: 'ID', kind: 'string' },
  { name: 'Tags', kind: 'strings' },
  { name: 'Meta', kind: 'string-map' },
  { name: 'Port', kind: 'int' },
  { name: 'Address', kind: 'string' },
  { name: 'TaggedAddresses', kind: { map: addressShape } },
  { name: 'SocketPath', kind: 'string' },
  weights,
  { name: 'EnableTagOverride', kind: 'bool' },
  { name: 'Proxy', kind: { object: proxyShape } },
];

const checkDefinition: Shape = [
  { name: 'ID', kind: 'string' },
  { name: 'CheckID', kind: 'string' },
  { name: 'Name', kind: 'string' },
  { name: 'Status', kind: 'string' },
  { name: 'Notes', kind: 'string' },
  { name: 'TTL', kind: 'string' },
  { name: 'HTTP', kind: 'string' },
  { name: 'Header', kind: 'any-map' },
  { name: 'Method', kind: 'string' },
  { name: 'Body', kind: 'string' },
  { name: 'TCP', kind: 'string' },
  { name: 'UDP', kind: 'string' },
  { name: 'GRPC', kind: 'string' },
  { name: 'Interval', kind: 'string' },
  { name: 'Timeout', kind: 'string' },
  { name: 'TLSSkipVerify', kind: 'bool' },
  { name: 'AliasNode', kind: 'string' },
  { name: 'AliasService', kind: 'string' },
  { name: 'DeregisterCriticalServiceAfter', kind: 'string' },
  { name: 'SuccessBeforePassing', kind: 'int' },
  { name: 'FailuresBeforeCritical', kind: 'int' },
];

/** Body of `PUT /v1/agent/service/register`. */
export const agentServiceShape: Shape = [
  ...serviceFields,
  { name: 'Name', kind: 'string' },
  { name: 'Check', kind: { pointer: checkDefinition } },
  { name: 'Checks', kind: { list: checkDefinition } },
  { name: 'Token', kind: 'string' },
  {
    name: 'Connect',
    kind: {
      pointer: [
        { name: 'Native', kind: 'bool', omitEmpty: true },
        {
          name: 'SidecarService',
          kind: {
            pointer: [
              ...serviceFields,
              { name: 'Name', kind: 'string' },
              { name: 'Checks', kind: { list: checkDefinition } },
              { name: 'Check', kind: { pointer: checkDefinition } },
            ],
          },
        },
      ],
    },
  },
];

const catalogCheckShape: Shape = [
  { name: 'Node', kind: 'string' },
  { name: 'CheckID', kind: 'string' },
  { name: 'Name', kind: 'string' },
  { name: 'Status', kind: 'string' },
  { name: 'Notes', kind: 'string' },
  { name: 'Output', kind: 'string' },
  { name: 'ServiceID', kind: 'string' },
  { name: 'ServiceName', kind: 'string' },
  { name: 'ServiceTags', kind: 'strings' },
  { name: 'Type', kind: 'string' },
  { name: 'Interval', kind: 'string' },
  { name: 'Timeout', kind: 'string' },
  { name: 'ExposedPort', kind: 'int' },
  { name: 'Definition', kind: 'any-map' },
  { name: 'CreateIndex', kind: 'int' },
  { name: 'ModifyIndex', kind: 'int' },
];

/** Body of `PUT /v1/catalog/register`. */
export const catalogRegisterShape: Shape = [
  { name: 'Datacenter', kind: 'string' },
  { name: 'ID', kind: 'string' },
  { name: 'Node', kind: 'string' },
  { name: 'Address', kind: 'string' },
  { name: 'TaggedAddresses', kind: 'string-map' },
  { name: 'NodeMeta', kind: 'string-map' },
  {
    name: 'Service',
    kind: {
      pointer: [
        ...serviceFields,
        { name: 'Service', kind: 'string' },
        { name: 'Connect', kind: { object: [{ name: 'Native', kind: 'bool', omitEmpty: true }] } },
        { name: 'PeerName', kind: 'string' },
        { name: 'CreateIndex', kind: 'int' },
        { name: 'ModifyIndex', kind: 'int' },
      ],
    },
  },
  { name: 'Check', kind: { pointer: catalogCheckShape } },
  { name: 'Checks', kind: { list: catalogCheckShape } },
  { name: 'SkipNodeUpdate', kind: 'bool' },
];

/** Body of `PUT /v1/catalog/deregister`. */
export const catalogDeregisterShape: Shape = [
  { name: 'Datacenter', kind: 'string' },
  { name: 'Node', kind: 'string' },
  { name: 'ServiceID', kind: 'string' },
  { name: 'CheckID', kind: 'string' },
];
