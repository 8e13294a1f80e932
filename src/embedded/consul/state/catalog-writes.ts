import { serverFailure } from '../exchange.js';
import { type Indexed, isSameContent, type NodeRow, type ServiceRow } from './rows.js';
import type { WriteTransaction } from './state-store.js';

export type Unindexed<Row extends Indexed> = Omit<Row, 'CreateIndex' | 'ModifyIndex'>;

/** Node names are compared case-insensitively; IDs of services on a node are not. */
export function nodeKey(node: string): string {
  return node.toLowerCase();
}

export function memberKey(node: string, id: string): string {
  return `${nodeKey(node)}/${id}`;
}

/** The index of one service's instances. */
export function serviceIndex(serviceName: string): string {
  return `service.${serviceName.toLowerCase()}`;
}

/** The index of one node and the services on it. */
export function nodeIndex(node: string): string {
  return `node.${node.toLowerCase()}`;
}

/** The index at which a node last went away. */
export const lastNodeExtinction = 'node_last_extinction';

/** The index at which a service last lost its last instance. */
export const lastExtinction = 'service_last_extinction';

/** Puts the node unless it is there and equal. */
export function ensureNode(transaction: WriteTransaction, node: Unindexed<NodeRow>): void {
  const current = transaction.get('nodes', nodeKey(node.Node));
  if (current !== undefined && isSameContent(current, node)) return;
  transaction.put('nodes', nodeKey(node.Node), {
    ...node,
    ...transaction.stamp('nodes', nodeKey(node.Node)),
  });
  transaction.touch(nodeIndex(node.Node));
  touchServicesOf(transaction, node.Node);
}

/** Puts the instance unless it is there and equal. Throws where its node is missing. */
export function ensureService(transaction: WriteTransaction, serviceRow: Unindexed<ServiceRow>): void {
  if (transaction.get('nodes', nodeKey(serviceRow.Node)) === undefined)
    throw serverFailure('Missing node registration');
  const key = memberKey(serviceRow.Node, serviceRow.ID);
  const current = transaction.get('services', key);
  const complete = withVirtualAddress(transaction, serviceRow);
  if (current !== undefined && isSameContent(current, complete)) return;
  transaction.put('services', key, { ...complete, ...transaction.stamp('services', key) });
  touchService(transaction, serviceRow);
  if (current !== undefined && current.Service !== serviceRow.Service)
    settleExtinction(transaction, current.Service);
}

export function removeService(transaction: WriteTransaction, node: string, id: string): void {
  const key = memberKey(node, id);
  const current = transaction.get('services', key);
  if (current === undefined) return;
  transaction.remove('services', key);
  touchService(transaction, current);
  settleExtinction(transaction, current.Service);
}

/** Removes the node with all that is on it, but for its sessions, which the caller ends. */
export function removeNode(transaction: WriteTransaction, node: string): void {
  const prefix = `${nodeKey(node)}/`;
  for (const serviceRow of transaction.list('services', prefix))
    removeService(transaction, node, serviceRow.ID);
  if (transaction.get('nodes', nodeKey(node)) === undefined) return;
  transaction.remove('nodes', nodeKey(node));
  transaction.forget(nodeIndex(node));
  transaction.touch(lastNodeExtinction);
}

function settleExtinction(transaction: WriteTransaction, serviceName: string): void {
  const isLeft = transaction
    .list('services')
    .some((row) => row.Service.toLowerCase() === serviceName.toLowerCase());
  if (isLeft) return;
  transaction.forget(serviceIndex(serviceName));
  transaction.touch(lastExtinction);
}

/** Answers about a node show its services. */
function touchService(transaction: WriteTransaction, { Node, Service }: Unindexed<ServiceRow>): void {
  for (const name of ['nodes', nodeIndex(Node), serviceIndex(Service)]) transaction.touch(name);
}

function touchServicesOf(transaction: WriteTransaction, node: string): void {
  for (const serviceRow of transaction.list('services', `${nodeKey(node)}/`))
    transaction.touch(serviceIndex(serviceRow.Service));
}

/** A mesh service gets an address of its own from 240.0.0.0/4, the same for all its sidecars. */
function withVirtualAddress(
  transaction: WriteTransaction,
  serviceRow: Unindexed<ServiceRow>,
): Unindexed<ServiceRow> {
  const isMesh = serviceRow.Kind === 'connect-proxy' || serviceRow.Connect.Native === true;
  const name =
    serviceRow.Kind === 'connect-proxy'
      ? String(serviceRow.Proxy.DestinationServiceName)
      : serviceRow.Service;
  if (!isMesh) return serviceRow;
  const key = `virtual-address/${name.toLowerCase()}`;
  const number =
    transaction.get('facts', key)?.value ?? String(transaction.list('facts', 'virtual-address/').length + 1);
  transaction.put('facts', key, { value: number });
  const value = Number(number);
  const address = `240.${(value >> 16) & 255}.${(value >> 8) & 255}.${value & 255}`;
  const taggedAddresses = {
    ...serviceRow.TaggedAddresses,
    'consul-virtual': { Address: address, Port: serviceRow.Port },
  };
  return { ...serviceRow, TaggedAddresses: taggedAddresses };
}
