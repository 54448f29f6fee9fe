//! Functions of sprig and Go that templates may not call, and why.

const ENVIRONMENT: &str = "templates cannot read the environment";
const NETWORK: &str = "templates cannot use the network";
const RANDOM: &str = "a template must give the same text each time, so nothing random";
const CLOCK: &str = "a template must give the same text each time, so it has no clock; \
                     use `.StartedAt` or `.FinishedAt`";
const CRYPTO: &str = "templates do no cryptography";
const REFLECTION: &str = "types of Go are not known here";
const MUTATION: &str = "maps and lists cannot be changed; build a new one with `dict` or `list`";
const NO_FUNCTIONS: &str = "the data holds no functions";

const REFUSED: &[(&str, &[&str])] = &[
    (ENVIRONMENT, &["env", "expandenv", "osBase", "osClean", "osDir", "osExt", "osIsAbs"]),
    (NETWORK, &["getHostByName"]),
    (
        RANDOM,
        &[
            "randAlpha",
            "randAlphaNum",
            "randAscii",
            "randBytes",
            "randInt",
            "randNumeric",
            "shuffle",
            "uuidv4",
        ],
    ),
    (CLOCK, &["now", "ago"]),
    (
        CRYPTO,
        &[
            "adler32sum",
            "bcrypt",
            "buildCustomCert",
            "decryptAES",
            "derivePassword",
            "encryptAES",
            "genCA",
            "genCAWithKey",
            "genPrivateKey",
            "genSelfSignedCert",
            "genSelfSignedCertWithKey",
            "genSignedCert",
            "genSignedCertWithKey",
            "htpasswd",
            "sha1sum",
            "sha256sum",
            "sha512sum",
        ],
    ),
    (REFLECTION, &["deepEqual", "kindIs", "kindOf", "typeIs", "typeIsLike", "typeOf"]),
    (MUTATION, &["merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite", "set", "unset"]),
    (NO_FUNCTIONS, &["call"]),
];

/// Why a function is refused; `None` for an unknown function.
pub(in crate::template) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(_, names)| names.contains(&name)).map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_says_why() {
        assert_eq!(refusal("env"), Some(ENVIRONMENT));
        assert_eq!(refusal("now"), Some(CLOCK));
        assert_eq!(refusal("genCA"), Some(CRYPTO));
        assert_eq!(refusal("upper"), None);
    }

    #[test]
    fn no_function_is_both_offered_and_refused() {
        for function in super::super::all() {
            assert_eq!(refusal(function.name), None, "{}", function.name);
        }
    }
}
