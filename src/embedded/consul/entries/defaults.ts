import { joinErrors, quoted, serverFailure } from '../exchange.js';
import {
  anyMap,
  bool,
  type Decoded,
  int,
  list,
  object,
  pointer,
  string,
  stringMap,
  strings,
} from '../shape.js';
import { type EntryKind, metaError, metaErrors } from './entry-kind.js';

export const meshGateway = object('MeshGateway', string('Mode?'));

export const expose = object(
  'Expose',
  bool('Checks?'),
  list('Paths?', int('ListenerPort?'), string('Path?'), int('LocalPathPort?'), string('Protocol?')),
);

const proxyFields = [
  ...string('Mode?'),
  ...object('TransparentProxy', int('OutboundListenerPort?'), bool('DialedDirectly?')),
  ...meshGateway,
  ...expose,
];

const upstream = [
  ...string('Name? EnvoyListenerJSON? EnvoyClusterJSON? Protocol?'),
  ...int('ConnectTimeoutMs?'),
  ...anyMap('Limits? PassiveHealthCheck?'),
  ...meshGateway,
  ...string('BalanceOutboundConnections?'),
];

export const serviceDefaults: EntryKind = {
  kind: 'service-defaults',
  shape: [
    ...string('Kind Name Protocol'),
    ...proxyFields,
    ...string('ExternalSNI?'),
    ...pointer('UpstreamConfig?', list('Overrides?', upstream), pointer('Defaults?', upstream)),
    ...pointer('Destination?', strings('Addresses?'), int('Port?')),
    ...int('MaxInboundConnections? LocalConnectTimeoutMs? LocalRequestTimeoutMs?'),
    ...string('BalanceInboundConnections?'),
    ...stringMap('Meta?'),
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

const proxyDefaultsFields = [
  ...string('Kind Name'),
  ...anyMap('Config'),
  ...proxyFields,
  ...stringMap('Meta?'),
];

export const proxyDefaults: EntryKind = {
  kind: 'proxy-defaults',
  shape: proxyDefaultsFields,
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

/** As the source of Consul 1.15 has it (agent/structs/config_entry.go, hashicorp/consul); not compared with a running one. */
export const proxyDefaultsWithLogs: EntryKind = {
  ...proxyDefaults,
  shape: [
    ...proxyDefaultsFields,
    ...object(
      'AccessLogs',
      bool('Enabled? DisableListenerLogs?'),
      string('Type? Path? JSONFormat? TextFormat?'),
    ),
  ],
};
