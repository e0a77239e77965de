/** An account at the sandboxed GitHub. */
export interface Person {
  /** Stays the same whatever becomes of the login. */
  id: number;
  login: string;
  name: string | null;
  /** What everybody sees; null for people who keep it private. */
  public_email: string | null;
  emails: { email: string; primary: boolean; verified: boolean }[];
  /** What is special about this one, shown on the authorize page. */
  about: string;
}

/** People to be: plain ones, and one for each thing that a sign-in gets wrong about the rest of the world. */
export function createPeople(): Person[] {
  return [
    {
      id: 583_101,
      login: 'alice',
      name: 'Alice Liddell',
      public_email: 'alice@example.com',
      emails: [{ email: 'alice@example.com', primary: true, verified: true }],
      about: 'alice@example.com',
    },
    {
      id: 583_102,
      login: 'bob',
      name: 'Bob Kowalski',
      public_email: 'bob@example.com',
      emails: [{ email: 'bob@example.com', primary: true, verified: true }],
      about: 'bob@example.com',
    },
    {
      id: 583_103,
      login: 'carol',
      name: 'Carol Danvers',
      public_email: null,
      emails: [{ email: 'carol@example.com', primary: true, verified: true }],
      about: 'keeps her email address private',
    },
    {
      id: 583_104,
      login: 'dave',
      name: null,
      public_email: null,
      emails: [
        { email: 'dave.new@example.com', primary: false, verified: false },
        { email: 'dave@example.com', primary: true, verified: true },
      ],
      about: 'has two email addresses, the first one unverified, and no name',
    },
    {
      id: 583_105,
      login: 'Grace-B-Hopper',
      name: 'Grace Hopper',
      public_email: 'grace@example.com',
      emails: [{ email: 'grace@example.com', primary: true, verified: true }],
      about: 'has capitals and hyphens in her login',
    },
    {
      id: 583_106,
      login: 'mallory',
      name: 'Mallory',
      public_email: null,
      emails: [{ email: 'mallory@example.com', primary: true, verified: false }],
      about: 'never verified her email address: GitHub refuses the sign-in',
    },
  ];
}

/** GitHub's rule for logins: letters, digits and single hyphens, none at the ends, 39 at most. */
export function isLogin(login: string): boolean {
  return login.length <= 39 && /^[a-z\d]+(?:-[a-z\d]+)*$/i.test(login);
}

/** Finds a person by login, in any case, as GitHub does. */
export function findPerson(people: Person[], login: string): Person | undefined {
  return people.find((person) => person.login.toLowerCase() === login.toLowerCase());
}

/** Somebody new, plain, with an id that nobody had. */
export function createPerson(people: Person[], login: string): Person {
  const email = `${login.toLowerCase()}@example.com`;
  return {
    id: Math.max(...people.map((person) => person.id)) + 1,
    login,
    name: null,
    public_email: null,
    emails: [{ email, primary: true, verified: true }],
    about: `${email}, signed up here`,
  };
}
