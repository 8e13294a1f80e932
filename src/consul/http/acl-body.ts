import type { AclObject } from '../../model/acl.js';
import type { Raw } from '../reader.js';
import { toConfigBody } from './acl-config.js';

/** The body of a PUT. */
export function toAclBody(object: AclObject): Raw {
  switch (object.kind) {
    case 'acl-policy': {
      const { name, description, rules } = object.object;
      return { Name: name, Description: description, Rules: rules };
    }
    case 'acl-role': {
      const { name, description, policies, serviceIdentities } = object.object;
      return {
        Name: name,
        Description: description,
        Policies: policies.map((policy) => ({ Name: policy })),
        ServiceIdentities: serviceIdentities.map((serviceName) => ({ ServiceName: serviceName })),
      };
    }
    case 'acl-auth-method': {
      const { name, description, maxTokenTtlSeconds, config } = object.object;
      return {
        Name: name,
        Type: 'jwt',
        Description: description,
        // Without a limit tokens would never expire: 0 is written as it is, and Consul rejects it.
        MaxTokenTTL: `${maxTokenTtlSeconds}s`,
        Config: toConfigBody(config),
      };
    }
    case 'acl-binding-rule': {
      const { description, authMethod, bindType, bindName, selector } = object.object;
      return {
        Description: description,
        AuthMethod: authMethod,
        BindType: bindType,
        BindName: bindName,
        Selector: selector,
      };
    }
  }
}

/** Whether two objects are equal for Consul, where links and names of methods are case-insensitive. */
export function isSameAcl(a: AclObject, b: AclObject): boolean {
  return JSON.stringify(toComparable(a)) === JSON.stringify(toComparable(b));
}

function toComparable(object: AclObject): unknown {
  switch (object.kind) {
    case 'acl-role': {
      const { policies, serviceIdentities } = object.object;
      const unordered = {
        ...object.object,
        policies: [...new Set(policies.map((name) => name.toLowerCase()))].toSorted(),
        serviceIdentities: [...new Set(serviceIdentities)].toSorted(),
      };
      return toAclBody({ kind: object.kind, object: unordered });
    }
    case 'acl-binding-rule': {
      const authMethod = object.object.authMethod.toLowerCase();
      return toAclBody({ kind: object.kind, object: { ...object.object, authMethod } });
    }
    case 'acl-policy':
    case 'acl-auth-method':
      return toAclBody(object);
  }
}
