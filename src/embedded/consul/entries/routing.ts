import { serverFailure } from '../exchange.js';
import { any, anyMap, int, list, pointer, string, stringMap, strings } from '../shape.js';
import type { EntryKind } from './entry-kind.js';

// Kept and shown as they were written. Nothing here routes calls, and Consul's checks between entries are left out.

const place = string('Service? ServiceSubset? Namespace? Partition? Datacenter? Peer?');

function routing(kind: string, fields: EntryKind['shape']): EntryKind {
  return {
    kind,
    shape: [...string('Kind Name'), ...fields, ...stringMap('Meta?')],
    normalize: (entry) => ({ ...entry, Kind: kind }),
    validate: (entry) => {
      if (entry.Name === '') throw serverFailure('Name is required');
    },
    canRead: (authorizer, name) => authorizer.isAllowed('service', 'read', name),
    requireRead: (authorizer, name) => authorizer.require('service', 'read', name),
    requireWrite: (authorizer, name) => authorizer.require('service', 'write', name),
  };
}

export const serviceResolver = routing('service-resolver', [
  ...string('DefaultSubset? ConnectTimeout?'),
  ...anyMap('Subsets? Failover?'),
  ...pointer('Redirect?', place),
]);

export const serviceSplitter = routing('service-splitter', list('Splits', any('Weight'), place));

export const serviceRouter = routing(
  'service-router',
  list('Routes', anyMap('Match?'), pointer('Destination?', place, string('PrefixRewrite?'))),
);

/** A gateway's entry is of the mesh, and shows what is about its own service. */
function gateway(kind: string, fields: EntryKind['shape']): EntryKind {
  return { ...routing(kind, fields), requireWrite: (authorizer) => authorizer.require('mesh', 'write') };
}

export const terminatingGateway = gateway(
  'terminating-gateway',
  list('Services', string('Name CAFile? CertFile? KeyFile? SNI?')),
);

export const ingressGateway = gateway('ingress-gateway', [
  ...anyMap('TLS Defaults?'),
  ...list(
    'Listeners',
    int('Port'),
    string('Protocol'),
    list('Services', string('Name'), strings('Hosts'), anyMap('TLS? RequestHeaders? ResponseHeaders?')),
    anyMap('TLS?'),
  ),
]);

export const apiGateway = gateway('api-gateway', [
  ...list('Listeners', string('Name Hostname'), int('Port'), string('Protocol'), anyMap('TLS')),
  ...anyMap('Status?'),
]);

function gatewayRoute(kind: string, fields: EntryKind['shape']): EntryKind {
  const parents = list('Parents', string('Kind Name SectionName'));
  return {
    ...gateway(kind, [...parents, ...fields, ...anyMap('Status?')]),
    canRead: (authorizer) => authorizer.isAllowed('mesh', 'read'),
    requireRead: (authorizer) => authorizer.require('mesh', 'read'),
  };
}

const filters = anyMap('Filters? ResponseFilters?');

export const httpRoute = gatewayRoute('http-route', [
  ...list('Rules', filters, any('Matches'), list('Services', string('Name'), int('Weight'), filters)),
  ...strings('Hostnames'),
]);

export const tcpRoute = gatewayRoute('tcp-route', list('Services', string('Name')));
