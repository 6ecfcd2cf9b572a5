//! Parses the address of a cluster, as clients of Spark Connect write it: `sc://HOST:15002/;use_ssl=true;token=…`.

use percent_encoding::percent_decode_str;

use super::SourceError;
use super::Surroundings;
use super::address::Address;
use super::address::ClusterParts;
use super::server_url;
use crate::model::catalog::Engine;
use crate::model::text::nearest;

/// The variable with the token, if the address has none.
const TOKEN_VARIABLE: &str = "SPARK_CONNECT_AUTHENTICATE_TOKEN";

/// The parameters whose values are no secrets. All others are headers of the requests, whose values no text shows.
const PLAIN: [&str; 3] = ["use_ssl", "user_id", "user_agent"];

/// All parameters that are no headers.
const KNOWN: [&str; 4] = ["use_ssl", "user_id", "user_agent", "token"];

/// Parses what follows `sc://`.
pub(super) fn address(
    engine: Engine,
    scheme: &str,
    rest: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Address, SourceError> {
    let (authority, parameters) = split(rest).ok_or_else(|| SourceError::Parameters {
        why: format!("parameters follow \"/;\", as in {scheme}://HOST:15002/;use_ssl=true"),
    })?;
    let (host, port) = host_and_port(scheme, authority)?;
    let mut parts = ClusterParts { host, port, ..ClusterParts::default() };
    for parameter in parameters.split(';').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or_else(|| SourceError::Parameters {
            why: "each parameter is written NAME=VALUE, and \";\" separates two of them".to_owned(),
        })?;
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        take(&mut parts, name, value)?;
    }
    let token = parts.token.take().or_else(|| surroundings.variables.get(TOKEN_VARIABLE).cloned());
    parts.token = token.filter(|token| !token.is_empty());
    if parts.token.is_some() && !parts.uses_tls && !is_loopback(&parts.host) {
        return Err(SourceError::Unsupported {
            from: String::new(),
            name: "a token without encryption".to_owned(),
            instead: format!("add use_ssl=true: fk-doctor scan '{scheme}://{authority}/;use_ssl=true'"),
        });
    }
    Ok(Address::of_cluster(engine, scheme, parts))
}

fn take(parts: &mut ClusterParts, name: &str, value: String) -> Result<(), SourceError> {
    match name {
        "use_ssl" => {
            parts.uses_tls = match value.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" => false,
                _ => {
                    return Err(SourceError::WrongValue {
                        from: String::new(),
                        name: name.to_owned(),
                        value: format!("\"{value}\""),
                        expected: "true or false".to_owned(),
                    });
                }
            }
        }
        "token" => parts.token = Some(value),
        "user_id" => parts.user = Some(value),
        "user_agent" => parts.user_agent = Some(value),
        "session_id" => {
            return Err(SourceError::Unsupported {
                from: String::new(),
                name: name.to_owned(),
                instead: "leave session_id out: fk-doctor opens a session of its own, and ends it".to_owned(),
            });
        }
        // A header has a hyphen or another prefix. A name that is close to a parameter is a typing error.
        other if nearest(other, KNOWN).is_some() => {
            return Err(SourceError::UnknownParameter {
                from: String::new(),
                name: other.to_owned(),
                near: nearest(other, KNOWN).map(str::to_owned),
                known: KNOWN.to_vec(),
            });
        }
        other => parts.headers.push((other.to_owned(), value)),
    }
    Ok(())
}

/// Returns the host with its port, and the parameters: `("spark:15002", "use_ssl=true")`.
fn split(rest: &str) -> Option<(&str, &str)> {
    let authority_ends = rest.find(['/', ';', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(authority_ends);
    let parameters = after.strip_prefix('/').unwrap_or(after);
    match parameters.strip_prefix(';') {
        Some(parameters) => Some((authority, parameters)),
        None => parameters.is_empty().then_some((authority, "")),
    }
}

fn host_and_port(scheme: &str, authority: &str) -> Result<(String, Option<u16>), SourceError> {
    if authority.contains('@') {
        return Err(SourceError::Unsupported {
            from: String::new(),
            name: "a user in the address of a cluster".to_owned(),
            instead: format!("write {scheme}://HOST:15002/;user_id=USER;token=TOKEN"),
        });
    }
    let port_at = match authority.rfind(']') {
        Some(end) => authority[end..].find(':').map(|at| end + at),
        None => authority.rfind(':'),
    };
    let (host, port) = authority.split_at(port_at.unwrap_or(authority.len()));
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if host.is_empty() {
        return Err(SourceError::NotAUrl { scheme: scheme.to_owned() });
    }
    let port = port.strip_prefix(':').filter(|port| !port.is_empty());
    let port = port.map(|port| port.parse::<u16>().map_err(|_| SourceError::Port { scheme: scheme.to_owned() }));
    Ok((host, port.transpose()?))
}

/// True if requests to the host stay on this machine.
fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "::1"].contains(&host)
}

/// Returns what follows `sc://` with `***` for each value that may be a secret.
pub(super) fn masked(rest: &str) -> String {
    let mut pieces = rest.split(';');
    let authority = pieces.next().unwrap_or_default();
    let masked = pieces.map(|piece| match piece.split_once('=') {
        Some((name, value)) if !PLAIN.contains(&name) && !value.is_empty() => format!(";{name}=***"),
        _ => format!(";{piece}"),
    });
    server_url::with_masked_login(authority) + &masked.collect::<String>()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Source;
    use super::*;

    fn parsed(text: &str) -> Result<Address, SourceError> {
        match Source::parse(text)? {
            Source::Cluster { address, .. } => Ok(*address),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn cluster_address_is_read_with_its_parameters() {
        let address =
            parsed("sc://Spark.example:1234/;use_ssl=true;token=top%20secret;x-cluster=abc;user_id=me").unwrap();
        assert_eq!((address.host.as_deref(), address.port), (Some("spark.example"), Some(1234)));
        assert_eq!((address.password(), address.user.as_deref()), (Some("top secret"), Some("me")));
        assert_eq!(address.options, [("x-cluster".to_owned(), "abc".to_owned())]);
        assert_eq!(address.to_string(), "sc://spark.example:1234/;use_ssl=true;user_id=me");
        assert_eq!(parsed("sc://[::1]:7").unwrap().host.as_deref(), Some("::1"));
        assert_eq!(parsed("sc://localhost;token=t").unwrap().password(), Some("t"));
    }

    #[test]
    fn token_goes_in_clear_text_to_this_machine_only() {
        for text in ["sc://spark:15002/;token=abc", "sc://10.0.0.1/;use_ssl=false;token=abc"] {
            let error = parsed(text).unwrap_err();
            assert!(error.to_string().contains("a token without encryption"), "{error}");
            assert!(!format!("{error}{}{}", error.because(), error.help()).contains("abc"));
        }
        for text in ["sc://localhost/;token=abc", "sc://127.0.0.1:1/;token=abc", "sc://[::1]/;token=abc"] {
            assert!(parsed(text).is_ok(), "{text}");
        }
        let variables = BTreeMap::from([(TOKEN_VARIABLE.to_owned(), "abc".to_owned())]);
        let surroundings = Surroundings { variables: &variables, ..Surroundings::default() };
        assert!(Source::resolve("sc://spark:15002", &surroundings).is_err());
    }

    #[test]
    fn secrets_of_a_cluster_are_masked() {
        let text = "sc://spark:15002/;use_ssl=true;token=abc;x-key=def;user_id=me";
        assert_eq!(super::super::masked(text), "sc://spark:15002/;use_ssl=true;token=***;x-key=***;user_id=me");
        let address = parsed(text).unwrap();
        assert_eq!(address.censored("abc and def of me"), "*** and *** of me");
        assert!(!format!("{address:?}").contains("abc"));
    }

    #[test]
    fn faulty_cluster_address_is_refused() {
        for text in [
            "sc:spark",
            "sc://",
            "sc://:15002",
            "sc://spark:x",
            "sc://spark/path",
            "sc://spark/;use_ssl",
            "sc://me:pw@spark/",
            "sc://spark/;use_ssl=maybe",
            "sc://spark/;tokn=x",
            "sc://spark/;session_id=1",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(!format!("{error}{}{}", error.because(), error.help()).contains("pw"), "{error}");
        }
    }
}
