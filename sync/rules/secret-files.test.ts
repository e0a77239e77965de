import { expect } from 'chai';
import { findSecretFileKind } from './secret-files.ts';

describe('findSecretFileKind', () => {
  const SECRET: [string, string][] = [
    ['.env', 'environment file'],
    ['app/.env.production', 'environment file'],
    ['prod.env', 'environment file'],
    ['.envrc', 'environment file'],
    ['.env~', 'environment file'],
    ['.env-production', 'environment file'],
    ['.env_staging', 'environment file'],
    ['.dev.vars', 'environment file'],
    ['certs/server.pem', 'private key'],
    ['server.KEY', 'private key'],
    ['id_ed25519', 'private key'],
    ['backup/.ssh/config', 'private key'],
    ['store.p12', 'private key'],
    ['server.key.bak', 'private key'],
    ['id_rsa~', 'private key'],
    ['.npmrc.old', 'credentials'],
    ['secrets.production.json', 'credentials'],
    ['secrets/prod.yaml', 'credentials'],
    ['secrets.kdbx', 'password store'],
    ['.npmrc', 'credentials'],
    ['.netrc', 'credentials'],
    ['.git-credentials', 'credentials'],
    ['credentials', 'credentials'],
    ['.aws/config', 'credentials'],
    ['secrets.yaml', 'credentials'],
    ['service-account-prod.json', 'credentials'],
    ['.docker/config.json', 'credentials'],
    ['kubeconfig', 'cluster credentials'],
    ['.kube/config', 'cluster credentials'],
    ['terraform.tfstate.backup', 'Terraform state or variables'],
    ['prod.tfvars', 'Terraform state or variables'],
  ];
  for (const [path, kind] of SECRET) it(`withholds ${path}`, () => expect(findSecretFileKind(path)).to.equal(kind));

  for (const path of [
    '.env.example',
    '.env-example',
    '.envoy.yaml',
    'monkey.bak.ts',
    'src/secrets/load.ts',
    'env.ts',
    'id_map.ts',
    'id_rsa.pub',
    'src/credentials.ts',
    'keys.md',
    'secrets.test.ts',
    'docker/config.json',
  ]) {
    it(`lets ${path} pass`, () => expect(findSecretFileKind(path)).to.equal(undefined));
  }
});
