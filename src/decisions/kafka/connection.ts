import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { Kafka, KafkaConfig, logCreator, SASLOptions } from 'kafkajs';
import type { Secret } from '../../model/secret.js';
import type { Logger } from '../../observe.js';

/** PEM files, read again whenever a new client is created. */
export interface KafkaTlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
}

export interface KafkaSasl {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: Secret;
}

/** The brokers and the credentials. */
export interface KafkaConnectionOptions {
  /** `host:port`, at least one. */
  readonly brokers: readonly string[];
  readonly tls?: boolean | KafkaTlsFiles;
  readonly sasl?: KafkaSasl;
  readonly clientId: string;
  readonly logger: Logger;
  /** How long one exchange with the brokers may take. */
  readonly timeoutMs: number;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Loads the client library, which an installation without Kafka never does. Does not connect yet. */
export async function createKafka(options: KafkaConnectionOptions): Promise<Kafka> {
  const { Kafka, logLevel } = await import('kafkajs');
  const ssl = await tlsOf(options.tls);
  const config: KafkaConfig = {
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: Math.min(CONNECT_TIMEOUT_MS, options.timeoutMs),
    authenticationTimeout: options.timeoutMs,
    requestTimeout: options.timeoutMs,
    // No `retries`: the default of the library applies. The waits are shorter, because the relay waits as well.
    retry: { initialRetryTime: 50, maxRetryTime: 2_000 },
    logLevel: logLevel.INFO,
    logCreator: loggingTo(options.logger, options.sasl?.password),
    ...(ssl === undefined ? {} : { ssl }),
    ...(options.sasl === undefined ? {} : { sasl: saslOf(options.sasl) }),
  };
  return new Kafka(config);
}

// The library logs a rebalance, a broker's restart and each retry as an error. Real failures reach the caller as an
// exception, so the log of the library is for debugging only.
function loggingTo(logger: Logger, password: Secret | undefined): logCreator {
  return () =>
    ({ namespace, label, log }) => {
      const { message, broker, error, groupId } = log;
      // A broker may repeat what it refuses.
      const isSecret = password?.isShownIn(`${message}\n${error}`) === true;
      const texts = isSecret ? { said: password, error: password } : { said: message, error };
      logger.debug({ namespace, level: label, ...texts, broker, groupId }, 'kafka client');
    };
}

async function tlsOf(tls: KafkaConnectionOptions['tls']): Promise<true | ConnectionOptions | undefined> {
  if (tls === undefined || tls === false) return undefined;
  if (tls === true) return true;
  const { caFile, certFile, keyFile, serverName } = tls;
  return {
    ...(caFile === undefined ? {} : { ca: await readFile(caFile) }),
    ...(certFile === undefined ? {} : { cert: await readFile(certFile) }),
    ...(keyFile === undefined ? {} : { key: await readFile(keyFile) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

function saslOf({ mechanism, username, password }: KafkaSasl): SASLOptions {
  return { mechanism, username, password: password.reveal() };
}
