import { numberIn, objectIn, textIn, textMapIn, textsIn } from '../body.js';
import { expose, meshGateway } from '../entries/defaults.js';
import type { ConsulFailure } from '../exchange.js';
import {
  any,
  anyMap,
  bool,
  type Decoded,
  int,
  list,
  map,
  object,
  pointer,
  string,
  stringMap,
  strings,
} from '../shape.js';
import type { Unindexed } from '../state/catalog-writes.js';
import type { ServiceRow } from '../state/rows.js';

const upstream = [
  ...string('DestinationType DestinationNamespace? DestinationPartition? DestinationPeer? DestinationName'),
  ...string('Datacenter LocalBindAddress?'),
  ...int('LocalBindPort?'),
  ...string('LocalBindSocketPath? LocalBindSocketMode?'),
  ...anyMap('Config?'),
  ...meshGateway,
];

/** A sidecar's settings, as the catalog keeps them. */
const proxy = [
  ...string('DestinationServiceName? DestinationServiceID? LocalServiceAddress?'),
  ...int('LocalServicePort?'),
  ...string('LocalServiceSocketPath? Mode'),
  ...anyMap('Config?'),
  ...list('Upstreams?', upstream),
  ...meshGateway,
  ...expose,
  ...anyMap('TransparentProxy?'),
];

const serviceFields = [
  ...string('Kind ID Address SocketPath'),
  ...strings('Tags'),
  ...stringMap('Meta'),
  ...int('Port'),
  ...map('TaggedAddresses', string('Address'), int('Port')),
  ...pointer('Weights', int('Passing Warning')),
  ...bool('EnableTagOverride'),
  ...object('Proxy', proxy),
];

/** Health checks are accepted, but nothing here runs or shows them. */
const ignoredChecks = any('Check Checks');

/** Body of `PUT /v1/agent/service/register`. */
export const agentService = [
  ...serviceFields,
  ...string('Name Token'),
  ...ignoredChecks,
  ...pointer('Connect', bool('Native?'), anyMap('SidecarService')),
];

/** Body of `PUT /v1/catalog/register`. */
export const catalogRegistration = [
  ...string('Datacenter ID Node Address'),
  ...stringMap('TaggedAddresses NodeMeta'),
  ...pointer(
    'Service',
    serviceFields,
    string('Service PeerName'),
    object('Connect', bool('Native?')),
    int('CreateIndex ModifyIndex'),
  ),
  ...ignoredChecks,
  ...bool('SkipNodeUpdate'),
];

/** Body of `PUT /v1/catalog/deregister`. */
export const catalogDeregistration = string('Datacenter Node ServiceID CheckID');

/** The row of a decoded service on `node`. */
export function toServiceRow(node: string, name: string, body: Decoded): Unindexed<ServiceRow> {
  const weights = objectIn(body, 'Weights') ?? { Passing: 1, Warning: 1 };
  return {
    Node: node,
    Kind: textIn(body, 'Kind'),
    ID: textIn(body, 'ID') || name,
    Service: name,
    Tags: textsIn(body, 'Tags'),
    Address: textIn(body, 'Address'),
    TaggedAddresses: objectIn(body, 'TaggedAddresses') ?? null,
    Port: numberIn(body, 'Port'),
    SocketPath: textIn(body, 'SocketPath'),
    Meta: textMapIn(body, 'Meta'),
    Weights: { Passing: numberIn(weights, 'Passing'), Warning: numberIn(weights, 'Warning') },
    EnableTagOverride: body.EnableTagOverride === true,
    Proxy: objectIn(body, 'Proxy') ?? {},
    Connect: objectIn(body, 'Connect')?.Native === true ? { Native: true } : {},
  };
}

/** Throws where a service's address means any address. */
export function requireServiceAddress(body: Decoded, failure: (text: string) => ConsulFailure): void {
  if (['0.0.0.0', '::', '[::]'].includes(textIn(body, 'Address'))) throw failure('Invalid service address');
}
