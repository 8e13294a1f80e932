/** A registered instance in the form in which it can be registered again without a loss. */
export interface Registration {
  readonly id: string;
  readonly node: string;
  /**
   * The object `service` of a file for `consul services register`: all that the catalog has of the instance. Consul keeps the
   * checks of an instance that is registered again. The catalog's view of a sidecar includes what its agent merged in from
   * proxy-defaults and service-defaults.
   */
  readonly service: Readonly<Record<string, unknown>>;
}
