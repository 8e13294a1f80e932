/** A client in quarantine, as Consul's KV has it at `scopemesh/<owner>/quarantine/<provider>/<client>`. */
export interface QuarantineRecord {
  readonly provider: string;
  readonly clientId: string;
  /** ISO 8601, of the newest report: the instant that it names. Absent if somebody else changed the value. */
  readonly at?: string;
  /** ISO 8601, when the newest report was received. */
  readonly receivedAt?: string;
}
