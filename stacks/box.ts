import { DnsRecord } from '@pulumi/cloudflare/dnsRecord.js';
import { Command } from '@pulumi/command/local/command.js';
import { all, ComponentResource, type ComponentResourceOptions, type Output, runtime, secret } from '@pulumi/pulumi';
import { createCarry } from './carry.ts';
import { createConverge } from './converge.ts';
import { toMachineName } from './machine-name.ts';
import { renderUserData } from './render.ts';
import { Instance, SshKey } from './resources.ts';
import type { BoxSpec } from './spec.ts';
import type { Templates } from './templates.ts';

/** What an operation wishes of the machine. One that is off is switched on by a restart. */
const WISHES = { restart: 'restart', resume: 'restart', rebuild: 'install', suspend: 'stop' } as const;

/**
 * One user's box: keys, machine, name, the wait until it answers, and what changes it while it lives. Vendors' credentials are not here: every plugin takes its
 * own from the environment, so that none is in any state and a new one needs no change of stacks.
 */
export class Box extends ComponentResource {
  readonly outputs: {
    ip_address: Output<string>;
    provider_instance_id: Output<string>;
    region: Output<string>;
    ssh_host_key_fingerprint: Output<string>;
    hostname: string;
    url: string;
  };

  constructor(
    name: string,
    { spec, templates }: { spec: BoxSpec; templates: Templates },
    options?: ComponentResourceOptions,
  ) {
    super('spoq:infra:Box', name, {}, options);
    const hostKey = new SshKey(`${name}-host-key`, { comment: spec.hostname }, { parent: this });
    const controlKey = new SshKey(`${name}-control-key`, { comment: `control@${spec.stack}` }, { parent: this });
    const { privateKey } = controlKey;

    const createMachine = (wanted: BoxSpec): Instance => {
      const { provider, region, product, image, operation } = wanted;
      const userData = all([hostKey.privateKey, hostKey.publicKey, controlKey.publicKey]).apply(
        ([hostPrivateKey, hostPublicKey, controlPublicKey]) =>
          renderUserData(wanted, { hostPrivateKey, hostPublicKey, controlPublicKey }, templates),
      );
      // Only a run that somebody has asked for wishes for one: no other change of the stack may restart a machine, or wipe it.
      const wish = operation === undefined ? {} : { [WISHES[operation.name]]: operation.number };
      const domain = spec.hostname.slice(spec.hostname.indexOf('.') + 1);
      const machineName = toMachineName(spec.stack, wanted.machine);
      return new Instance(
        toMachineName(`${name}-instance`, wanted.machine),
        { provider, name: machineName, domain, region, product, image, userData: secret(userData), ...wish },
        // Waiting for a machine is ours to limit: PROVISION_DEADLINE_SECONDS.
        { parent: this, customTimeouts: { create: '24h', update: '24h', delete: '24h' } },
      );
    };

    const { operation, move } = spec;
    const present = createMachine(spec);
    const next = move === undefined || move.stage === 'return' ? undefined : createMachine({ ...spec, ...move });
    const instance = move?.stage === 'switch' && next !== undefined ? next : present;
    const carry =
      move &&
      createCarry(
        `${name}-carry`,
        {
          stage: move.stage,
          templates,
          from: present.ipAddress,
          to: next?.ipAddress,
          privateKey,
          hostKey: hostKey.publicKey,
        },
        { parent: this },
      );

    // Before it is carried out a change of the machine makes everything of it unknown to the engine, its address too.
    const address = (runtime.isDryRun() ? operation?.address : undefined) ?? instance.ipAddress;
    const record = new DnsRecord(
      `${name}-record`,
      {
        zoneId: spec.dns.zone_id,
        name: spec.hostname,
        type: 'A',
        content: address,
        ttl: spec.dns.ttl_seconds,
        proxied: false,
        comment: spec.stack,
      },
      {
        parent: this,
        dependsOn: move?.stage === 'copy' || carry === undefined ? [] : [carry],
        // A name never points to an address that somebody else may have by now: the record goes before its machine does. In a
        // move both machines are there, and the name is changed in place.
        replaceOnChanges: move === undefined ? ['content'] : [],
        deleteBeforeReplace: true,
      },
    );

    const check = new Command(
      `${name}-check`,
      {
        create: 'exec spoq-check-box',
        environment: { SPOQ_BOX_URL: spec.url, SPOQ_BOX_ADDRESS: instance.ipAddress },
        triggers: [instance.id, record.id, instance.lastOperation],
      },
      { parent: this, dependsOn: [record] },
    );

    if (spec.converge === 'ssh')
      createConverge(
        `${name}-converge`,
        {
          spec,
          templates,
          machineId: instance.id,
          lastOperation: instance.lastOperation,
          host: instance.ipAddress,
          privateKey,
          hostKey: hostKey.publicKey,
        },
        { parent: this, dependsOn: [check] },
      );

    this.outputs = {
      ip_address: instance.ipAddress,
      provider_instance_id: instance.providerInstanceId,
      region: instance.region,
      ssh_host_key_fingerprint: hostKey.fingerprint,
      hostname: spec.hostname,
      url: spec.url,
    };
    this.registerOutputs(this.outputs);
  }
}
