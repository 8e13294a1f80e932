import { serverFailure } from '../exchange.js';
import { joinErrors, quoted } from '../go-errors.js';
import { type EntryKind, metaError, metaErrors } from './entry-kind.js';
import type { Decoded, Field, Shape } from './shape.js';

const meshGateway: Field = {
  name: 'MeshGateway',
  kind: { object: [{ name: 'Mode', kind: 'string', omitEmpty: true }] },
};

const proxyFields: readonly Field[] = [
  { name: 'Mode', kind: 'string', omitEmpty: true },
  {
    name: 'TransparentProxy',
    kind: {
      object: [
        { name: 'OutboundListenerPort', kind: 'int', omitEmpty: true },
        { name: 'DialedDirectly', kind: 'bool', omitEmpty: true },
      ],
    },
  },
  meshGateway,
  {
    name: 'Expose',
    kind: {
      object: [
        { name: 'Checks', kind: 'bool', omitEmpty: true },
        {
          name: 'Paths',
          kind: {
            list: [
              { name: 'ListenerPort', kind: 'int', omitEmpty: true },
              { name: 'Path', kind: 'string', omitEmpty: true },
              { name: 'LocalPathPort', kind: 'int', omitEmpty: true },
              { name: 'Protocol', kind: 'string', omitEmpty: true },
            ],
          },
          omitEmpty: true,
        },
      ],
    },
  },
];

const upstreamShape: Shape = [
  { name: 'Name', kind: 'string', omitEmpty: true },
  { name: 'EnvoyListenerJSON', kind: 'string', omitEmpty: true },
  { name: 'EnvoyClusterJSON', kind: 'string', omitEmpty: true },
  { name: 'Protocol', kind: 'string', omitEmpty: true },
  { name: 'ConnectTimeoutMs', kind: 'int', omitEmpty: true },
  { name: 'Limits', kind: 'any-map', omitEmpty: true },
  { name: 'PassiveHealthCheck', kind: 'any-map', omitEmpty: true },
  meshGateway,
  { name: 'BalanceOutboundConnections', kind: 'string', omitEmpty: true },
];

export const serviceDefaults: EntryKind = {
  kind: 'service-defaults',
  shape: [
    { name: 'Kind', kind: 'string' },
    { name: 'Name', kind: 'string' },
    { name: 'Protocol', kind: 'string' },
    ...proxyFields,
    { name: 'ExternalSNI', kind: 'string', omitEmpty: true },
    {
      name: 'UpstreamConfig',
      kind: {
        pointer: [
          { name: 'Overrides', kind: { list: upstreamShape }, omitEmpty: true },
          { name: 'Defaults', kind: { pointer: upstreamShape }, omitEmpty: true },
        ],
      },
      omitEmpty: true,
    },
    {
      name: 'Destination',
      kind: {
        pointer: [
          { name: 'Addresses', kind: 'strings', omitEmpty: true },
          { name: 'Port', kind: 'int', omitEmpty: true },
        ],
      },
      omitEmpty: true,
    },
    { name: 'MaxInboundConnections', kind: 'int', omitEmpty: true },
    { name: 'LocalConnectTimeoutMs', kind: 'int', omitEmpty: true },
    { name: 'LocalRequestTimeoutMs', kind: 'int', omitEmpty: true },
    { name: 'BalanceInboundConnections', kind: 'string', omitEmpty: true },
    { name: 'Meta', kind: 'string-map', omitEmpty: true },
  ],
  normalize: (entry) => ({
    ...entry,
    Kind: 'service-defaults',
    Protocol: String(entry.Protocol).toLowerCase(),
  }),
  validate: validateServiceDefaults,
  canRead: (authorizer, name) => authorizer.isAllowed('service', 'read', name),
  requireRead: (authorizer, name) => authorizer.require('service', 'read', name),
  requireWrite: (authorizer, name) => authorizer.require('service', 'write', name),
};

function validateServiceDefaults(entry: Decoded): void {
  if (entry.Name === '') throw serverFailure('Name is required');
  if (entry.Name === '*') {
    throw serverFailure('service-defaults name must be the name of a service, and not a wildcard');
  }
  const errors = metaErrors(entry.Meta);
  const balance = entry.BalanceInboundConnections ?? '';
  if (balance !== '' && balance !== 'exact_balance') {
    errors.push(`invalid value for balance_inbound_connections: ${balance}`);
  }
  if (errors.length > 0) throw serverFailure(joinErrors(errors));
}

export const proxyDefaults: EntryKind = {
  kind: 'proxy-defaults',
  shape: [
    { name: 'Kind', kind: 'string' },
    { name: 'Name', kind: 'string' },
    { name: 'Config', kind: 'any-map' },
    ...proxyFields,
    { name: 'Meta', kind: 'string-map', omitEmpty: true },
  ],
  normalize: (entry) => {
    if (entry.Name !== '' && entry.Name !== 'global') {
      throw serverFailure(`invalid name (${quoted(String(entry.Name))}), only "global" is supported`);
    }
    return { ...entry, Kind: 'proxy-defaults', Name: 'global' };
  },
  validate: (entry) => {
    const error = metaError(entry.Meta);
    if (error !== undefined) throw serverFailure(error);
  },
  canRead: () => true,
  requireRead: () => {},
  requireWrite: (authorizer) => authorizer.require('mesh', 'write'),
};
