import { CustomResource, type CustomResourceOptions, type Input, type Output } from '@pulumi/pulumi';
import type { ProviderName } from '../contract/vps.ts';

export interface SshKeyArgs {
  comment: Input<string>;
}

/** An Ed25519 key pair in OpenSSH format, made once and kept in the stack's state. */
export class SshKey extends CustomResource {
  declare readonly publicKey: Output<string>;
  declare readonly privateKey: Output<string>;
  declare readonly fingerprint: Output<string>;

  constructor(name: string, args: SshKeyArgs, options: CustomResourceOptions = {}) {
    const outputs = { publicKey: undefined, privateKey: undefined, fingerprint: undefined };
    super('spoq:index:SshKey', name, { ...args, ...outputs }, { ...options, additionalSecretOutputs: ['privateKey'] });
  }
}

export interface InstanceArgs {
  provider: Input<ProviderName>;
  name: Input<string>;
  domain: Input<string>;
  region: Input<string>;
  product: Input<string>;
  image?: Input<string>;
  userData: Input<string>;
  /** The number of an operation that restarts the machine, unless it was the last that was carried out. */
  restart?: Input<number>;
  /** The same for one that installs it anew: everything on its disk is lost. */
  install?: Input<number>;
  /** The same for one that switches it off: nothing on its disk is lost. */
  stop?: Input<number>;
}

/** A machine at Contabo or Hostinger, named after its stack. */
export class Instance extends CustomResource {
  declare readonly ipAddress: Output<string>;
  declare readonly providerInstanceId: Output<string>;
  declare readonly region: Output<string>;
  /** The number of the operation that was carried out last; 0 before the first. */
  declare readonly lastOperation: Output<number>;

  constructor(name: string, args: InstanceArgs, options: CustomResourceOptions = {}) {
    const outputs = { ipAddress: undefined, providerInstanceId: undefined, lastOperation: undefined };
    super('spoq:index:Instance', name, { ...args, ...outputs }, options);
  }
}
