//! The manifests and the image agree with the binary: flags, ports, paths, names, times.

use crate::app::{CLOSE_MAX, HAND_OVER_MAX};
use crate::cli::{Cli, CliCommand};
use crate::config::{self, ClusterSettings, NoFiles, Overrides, SecretCheck, ServerSettings};
use clap::{CommandFactory as _, Parser as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// The least part of the grace period that a stop leaves: the process ends well inside it.
const SPARE: Duration = Duration::from_secs(10);

fn text(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The only document of a file below `deploy`.
fn manifest(file: &str) -> Value {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text(&format!("deploy/{file}")))
        .unwrap_or_else(|error| panic!("{file}: {error}"));
    let [document] = documents.try_into().unwrap_or_else(|all| panic!("{file}: {all:?}"));
    document
}

fn base(file: &str) -> Value {
    manifest(&format!("headless-service/{file}"))
}

fn stateful_set() -> Value {
    base("statefulset.yaml")["spec"].clone()
}

fn pod() -> Value {
    stateful_set()["template"]["spec"].clone()
}

fn container() -> Value {
    let containers = pod()["containers"].clone();
    let [container] = <[Value; 1]>::try_from(containers.as_array().unwrap().clone()).unwrap();
    container
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// The start options of the pods.
fn overrides() -> Overrides {
    let arguments = texts(&container()["args"]);
    let cli = Cli::try_parse_from(["tekton-events-relay".to_owned()].into_iter().chain(arguments))
        .unwrap_or_else(|error| panic!("{error}"));
    let CliCommand::Serve(flags) = cli.command else { panic!("the pods do not serve") };
    assert_eq!(flags.config.as_deref(), Some(Path::new("/etc/relay/relay.yaml")));
    let secret_file = variable("RELAY_SECRET_FILE").map(Into::into);
    Overrides { secret_file, ..flags.overrides() }
}

/// The value of a variable in the pods.
fn variable(name: &str) -> Option<String> {
    let variables = container()["env"].clone();
    let variables = variables.as_array()?.iter();
    let named = variables.filter(|variable| variable["name"] == json!(name));
    named.filter_map(|variable| variable["value"].as_str().map(str::to_owned)).next()
}

fn port_of(address: &str) -> u16 {
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The ports of the binary: name, number, protocol.
fn ports() -> [(&'static str, u16, &'static str); 3] {
    let cluster = ClusterSettings::default();
    [
        ("http", port_of(&ServerSettings::default().addr), "TCP"),
        ("peers", port_of(&cluster.peer_addr), "TCP"),
        ("gossip", port_of(&cluster.gossip_addr), "UDP"),
    ]
}

/// Kubernetes assumes `TCP` if the protocol is absent.
fn numbers(list: &Value, number: &str) -> BTreeSet<(u64, String)> {
    let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
    let ports = list.as_array().unwrap().iter();
    ports.map(|port| (port[number].as_u64().unwrap(), protocol(port))).collect()
}

fn expected(names: &[&str]) -> BTreeSet<(u64, String)> {
    let named = ports().into_iter().filter(|(name, ..)| names.contains(name));
    named.map(|(_, number, protocol)| (number.into(), protocol.to_owned())).collect()
}

#[test]
fn kustomize_is_told_of_every_manifest() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/headless-service");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let mut files: Vec<String> = files.map(|name| name.into_string().unwrap()).collect();
    files.retain(|name| name != "kustomization.yaml");
    files.sort_unstable();
    let mut listed = texts(&base("kustomization.yaml")["resources"]);
    listed.sort_unstable();
    assert_eq!(listed, files);
    let strict = manifest("strict/kustomization.yaml");
    assert_eq!(strict["resources"], json!(["../headless-service"]));
    assert_eq!(strict["patches"], json!([{"path": "networkpolicy.yaml"}]));
}

#[test]
fn everything_is_in_a_namespace_of_its_own() {
    let namespace = base("namespace.yaml")["metadata"].clone();
    assert_eq!(base("kustomization.yaml")["namespace"], namespace["name"]);
    assert_eq!(namespace["name"], json!(env!("CARGO_PKG_NAME")));
    // This level requires what `a_pod_can_do_nothing_but_its_work` asserts.
    assert_eq!(namespace["labels"]["pod-security.kubernetes.io/enforce"], json!("restricted"));
}

#[test]
fn every_variable_of_the_pod_is_a_flag_of_serve() {
    let cli = Cli::command();
    let serve = cli.find_subcommand("serve").unwrap();
    let known: BTreeSet<&str> =
        serve.get_arguments().filter_map(|flag| flag.get_env()?.to_str()).collect();
    for variable in container()["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(known.contains(name), "{name}");
    }
    // A Service named `relay` must not set RELAY_ variables in the pods.
    assert_eq!(pod()["enableServiceLinks"], json!(false));
}

#[test]
fn the_pods_form_a_cluster_of_the_pods() {
    let (overrides, stateful_set) = (overrides(), stateful_set());
    assert_eq!(stateful_set["replicas"], json!(overrides.replicas.unwrap()));
    let service = overrides.service.unwrap();
    assert_eq!(stateful_set["serviceName"], json!(service));
    assert_eq!(stateful_set["podManagementPolicy"], json!("Parallel"));
    let headless = base("headless-service.yaml");
    assert_eq!(headless["metadata"]["name"], json!(service));
    assert_eq!(headless["spec"]["clusterIP"], json!("None"));
    assert_eq!(headless["spec"]["publishNotReadyAddresses"], json!(true));
    let pod_name = json!({"name": "RELAY_POD_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    // Commands in the pod find the relay and its token by the start options of the relay.
    let flag = |flag: &str| {
        let arguments = texts(&container()["args"]);
        arguments.iter().find_map(|argument| argument.strip_prefix(flag).map(str::to_owned))
    };
    let config = json!({"name": "RELAY_CONFIG", "value": flag("--config=")});
    let data_dir = json!({"name": "RELAY_DATA_DIR", "value": flag("--data-dir=")});
    let secret = json!({"name": "RELAY_SECRET_FILE", "value": "/etc/relay-cluster/secret"});
    assert_eq!(container()["env"], json!([pod_name, config, data_dir, secret]));
}

#[test]
fn the_shipped_file_loads_under_the_flags_of_the_pods() {
    let config_map = base("configmap.yaml");
    let file = config_map["data"]["relay.yaml"].as_str().unwrap();
    let overrides = Overrides { pod_name: Some("relay-0".to_owned()), ..overrides() };
    let loaded =
        config::load_under(file, "relay.yaml", &NoFiles, SecretCheck::Required, &overrides);
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((loaded.config.rules.routes.len(), loaded.notices.len()), (1, 0));
    assert_eq!(loaded.config.cluster.host_for_others(), "relay-0.relay-headless");
}

#[test]
fn what_the_flags_name_is_mounted() {
    let data_dir = overrides().data_dir.unwrap();
    let claims = stateful_set()["volumeClaimTemplates"].clone();
    assert_eq!(claims[0]["metadata"]["name"], json!("data"));
    let config_map = base("configmap.yaml")["metadata"]["name"].clone();
    let secret = json!({"secretName": "relay-cluster", "defaultMode": 288});
    assert_eq!(
        pod()["volumes"],
        json!([
            {"name": "config", "configMap": {"name": config_map}},
            {"name": "cluster", "secret": secret},
        ])
    );
    assert_eq!(
        container()["volumeMounts"],
        json!([
            {"name": "data", "mountPath": data_dir},
            {"name": "config", "mountPath": "/etc/relay", "readOnly": true},
            {"name": "cluster", "mountPath": "/etc/relay-cluster", "readOnly": true},
        ])
    );
}

#[test]
fn every_port_is_that_of_the_binary() {
    let open = container()["ports"].clone();
    for (place, (name, number, _)) in ports().into_iter().enumerate() {
        assert_eq!(
            (&open[place]["name"], &open[place]["containerPort"]),
            (&json!(name), &json!(number))
        );
    }
    assert_eq!(numbers(&open, "containerPort"), expected(&["http", "peers", "gossip"]));
    let service = base("service.yaml")["spec"]["ports"].clone();
    assert_eq!(numbers(&service, "port"), expected(&["http"]));
    let headless = base("headless-service.yaml")["spec"]["ports"].clone();
    assert_eq!(numbers(&headless, "port"), expected(&["peers", "gossip"]));
    for port in service.as_array().unwrap().iter().chain(headless.as_array().unwrap()) {
        assert_eq!(port["targetPort"], port["name"]);
    }
}

/// The labels of a pod.
fn labels() -> Value {
    stateful_set()["template"]["metadata"]["labels"].clone()
}

#[test]
fn s20_only_replicas_reach_the_ports_of_replicas_whatever_labels_a_task_run_carries() {
    assert_eq!(labels()["app.kubernetes.io/component"], json!("replica"));
    // Tekton sets it on each pod of a TaskRun and overrides the TaskRun's own value.
    let no_task_run = json!([{"key": "tekton.dev/taskRun", "operator": "DoesNotExist"}]);
    let selector = json!({"matchLabels": labels(), "matchExpressions": no_task_run});
    let replicas = json!([{"podSelector": selector}]);
    for file in ["headless-service/networkpolicy.yaml", "strict/networkpolicy.yaml"] {
        let policy = manifest(file)["spec"].clone();
        let [events, peers] =
            <[Value; 2]>::try_from(policy["ingress"].as_array().unwrap().clone()).unwrap();
        assert_eq!(numbers(&events["ports"], "port"), expected(&["http"]), "{file}");
        assert_eq!(numbers(&peers["ports"], "port"), expected(&["peers", "gossip"]), "{file}");
        assert_eq!(peers["from"], replicas, "{file}");
    }
    let (open, strict) = (base("networkpolicy.yaml"), manifest("strict/networkpolicy.yaml"));
    assert_eq!(open["metadata"]["name"], strict["metadata"]["name"]);
    assert_eq!(open["spec"]["policyTypes"], json!(["Ingress"]));
    assert_eq!(strict["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let egress = strict["spec"]["egress"].as_array().unwrap();
    let to_replicas = egress.iter().find(|rule| rule["to"] == replicas).unwrap();
    assert_eq!(numbers(&to_replicas["ports"], "port"), expected(&["peers", "gossip"]));
}

#[test]
fn the_strict_policy_lets_tektons_controllers_send_and_no_other_pod_of_their_namespace() {
    let senders = manifest("strict/networkpolicy.yaml")["spec"]["ingress"][0]["from"].clone();
    let [sender] = <[Value; 1]>::try_from(senders.as_array().unwrap().clone()).unwrap();
    let namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": "tekton-pipelines"}});
    assert_eq!(sender["namespaceSelector"], namespace);
    let component = json!({"key": "app.kubernetes.io/component", "operator": "In",
        "values": ["events", "controller"]});
    assert_eq!(sender["podSelector"], json!({"matchExpressions": [component]}));
}

#[test]
fn every_selector_selects_the_pods() {
    let stateful_set = stateful_set();
    let selector = stateful_set["selector"]["matchLabels"].clone();
    // It can never be changed, so that an upgrade stays a plain apply.
    assert_eq!(selector, json!({"app.kubernetes.io/name": env!("CARGO_PKG_NAME")}));
    for (label, value) in selector.as_object().unwrap() {
        assert_eq!(labels()[label], *value);
    }
    let of_the_set = [
        base("pdb.yaml")["spec"]["selector"]["matchLabels"].clone(),
        base("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"].clone(),
        manifest("strict/networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"].clone(),
        pod()["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].clone(),
    ];
    for of_the_set in of_the_set {
        assert_eq!(of_the_set, selector);
    }
    for service in ["service.yaml", "headless-service.yaml"] {
        assert_eq!(base(service)["spec"]["selector"], labels(), "{service}");
    }
    assert_eq!(base("pdb.yaml")["spec"]["maxUnavailable"], json!(1));
}

/// A component changes the StatefulSet by a JSON patch: RFC 6902.
#[test]
fn the_hardened_component_adds_to_what_is_there() {
    let component = manifest("hardened/kustomization.yaml");
    assert_eq!(component["kind"], json!("Component"));
    let [patch] = <[Value; 1]>::try_from(component["patches"].as_array().unwrap().clone()).unwrap();
    assert_eq!(patch["target"], json!({"kind": "StatefulSet", "name": "relay"}));
    let changes: Vec<Value> = serde_saphyr::from_str(patch["patch"].as_str().unwrap()).unwrap();
    let whole = base("statefulset.yaml");
    for change in &changes {
        let path = change["path"].as_str().unwrap();
        assert_eq!(change["op"], json!("add"), "{path}");
        assert_eq!(whole.pointer(path), None, "{path}");
        let parent = path.rsplit_once('/').unwrap().0;
        assert!(whole.pointer(parent).is_some(), "{path}");
    }
    assert_eq!(changes.len(), 2);
}

#[test]
fn every_probe_asks_a_route_that_exists() {
    let router = include_str!("api/mod.rs");
    let container = container();
    for (probe, path) in
        [("startupProbe", "/healthz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "http"}));
        assert!(router.contains(&format!(".route(\"{path}\", get(")), "{path}");
    }
}

#[test]
fn a_pod_has_time_to_hand_over() {
    let grace = pod()["terminationGracePeriodSeconds"].as_u64().unwrap();
    let needed = ServerSettings::default().shutdown_timeout + HAND_OVER_MAX + CLOSE_MAX;
    assert!(Duration::from_secs(grace) >= needed + SPARE, "{grace} s, {needed:?}");
}

#[test]
fn a_pod_can_do_nothing_but_its_work() {
    let (pod, container) = (pod(), container());
    let context = json!({"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
        "fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"}});
    assert_eq!(pod["securityContext"], context);
    assert_eq!(
        container["securityContext"],
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}})
    );
    let account = base("serviceaccount.yaml");
    assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
    for holder in [&account, &pod] {
        assert_eq!(holder["automountServiceAccountToken"], json!(false));
    }
    assert!(container["resources"]["limits"]["memory"].is_string());
    assert!(container["resources"]["limits"]["cpu"].is_null());
}

#[test]
fn the_image_is_of_this_version() {
    let image = format!("{}:{}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    assert_eq!(container()["image"], json!(image));
    let images = base("kustomization.yaml")["images"].clone();
    assert_eq!(images[0]["name"], json!(env!("CARGO_PKG_NAME")));
}

/// The arguments of an instruction of the image's last stage.
fn instruction(name: &str) -> Vec<String> {
    let dockerfile = text("Dockerfile");
    let (_, last) = dockerfile.rsplit_once("\nFROM ").unwrap();
    let lines = last.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.map(str::to_owned).collect()
}

#[test]
fn the_image_starts_the_binary_as_the_user_of_the_pods() {
    let binary = concat!("/usr/local/bin/", env!("CARGO_PKG_NAME"));
    assert_eq!(instruction("ENTRYPOINT"), [format!("[{binary:?}]")]);
    assert!(instruction("COPY")[0].ends_with(&format!(" {binary}")));
    // Arguments of the pod replace CMD, and go to the entry point.
    assert!(container()["command"].is_null());
    let user = pod()["securityContext"]["runAsUser"].clone();
    assert_eq!(instruction("USER"), [format!("{user}:{user}")]);
    let open: Vec<String> = ports()
        .into_iter()
        .map(|(_, number, protocol)| format!("{number}/{}", protocol.to_lowercase()))
        .collect();
    assert_eq!(instruction("EXPOSE"), [open.join(" ")]);
    let data_dir = overrides().data_dir.unwrap();
    assert_eq!(instruction("VOLUME"), [data_dir.display().to_string()]);
    assert_eq!(instruction("ENV"), [format!("RELAY_DATA_DIR={}", data_dir.display())]);
}

#[test]
fn the_image_is_built_by_the_compiler_that_the_package_asks_for() {
    let builder = format!("\nARG BUILDER=rust:{}-bookworm\n", env!("CARGO_PKG_RUST_VERSION"));
    assert!(text("Dockerfile").contains(&builder), "{builder}");
}

#[test]
fn s21_the_image_is_stripped_and_its_bases_can_be_pinned() {
    let dockerfile = text("Dockerfile");
    assert!(dockerfile.contains("strip --strip-debug -o /out/tekton-events-relay "));
    let bases: Vec<&str> =
        dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(bases, ["${BUILDER} AS build", "scratch AS debug", "${BASE}"]);
}

#[test]
fn the_image_is_built_under_the_profile_that_is_optimised_as_a_whole() {
    assert!(text("Dockerfile").contains(" --profile dist "));
    let manifest = text("Cargo.toml");
    let (_, profile) = manifest.split_once("\n[profile.dist]\n").unwrap();
    let profile = profile.split("\n[").next().unwrap();
    for line in ["lto = \"fat\"", "codegen-units = 1"] {
        assert!(profile.lines().any(|other| other == line), "{line}");
    }
    let measured = manifest.split_once("\n[profile.bench]\ninherits = \"dist\"\n");
    assert!(measured.is_some(), "benchmarks measure what the image runs");
}

/// Whether the build of the image sees a file: the last line of `.dockerignore` that matches it or
/// a folder above it decides.
fn is_sent(ignore: &str, file: &str) -> bool {
    let lines = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_about = |pattern: &str| pattern == "*" || Path::new(file).starts_with(pattern);
    lines.fold(true, |is_sent, line| match line.strip_prefix('!') {
        Some(kept) => is_sent || is_about(kept),
        None => is_sent && !is_about(line),
    })
}

/// The file of each target in `Cargo.toml`: its own `path`, or Cargo's default.
fn targets(manifest: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for (header, folder) in [("\n[[test]]\n", "tests"), ("\n[[bench]]\n", "benches")] {
        for table in manifest.split(header).skip(1) {
            let table = table.split("\n[").next().unwrap();
            let value = |key: &str| {
                let mut lines = table.lines().filter_map(|line| line.strip_prefix(key));
                lines.next().map(|value| value.trim_matches('"').to_owned())
            };
            let by_name = || format!("{folder}/{}/main.rs", value("name = ").unwrap());
            targets.push(value("path = ").unwrap_or_else(by_name));
        }
    }
    targets
}

#[test]
fn the_image_build_sees_every_target_of_the_package() {
    let (ignore, targets) = (text(".dockerignore"), targets(&text("Cargo.toml")));
    assert_eq!(targets.len(), 8, "{targets:?}");
    let read = ["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs", "proto/relay/v1/log.proto"];
    for file in targets.iter().map(String::as_str).chain(read) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).is_file(), "{file}");
        assert!(is_sent(&ignore, file), "{file} is left out: Cargo refuses the package");
    }
    for file in ["target/release/x", "data/identity.json", ".git/config", "tests/relay/main.rs"] {
        assert!(!is_sent(&ignore, file), "{file}");
    }
}

/// The manifests that the runbooks apply.
fn of_the_runbooks() -> Vec<Value> {
    let runbooks = text("docs/OPERATIONS.md");
    let blocks = runbooks.split("<<'EOF'\n").skip(1);
    let manifest = |block: &str| {
        let lines: Vec<&str> = block.lines().take_while(|line| line.trim() != "EOF").collect();
        let margin = lines[0].len() - lines[0].trim_start().len();
        let lines: Vec<&str> = lines.iter().map(|line| &line[margin..]).collect();
        serde_saphyr::from_str(&lines.join("\n")).unwrap_or_else(|error| panic!("{error}"))
    };
    blocks.map(manifest).collect()
}

#[test]
fn what_the_runbooks_start_is_as_restricted_as_the_replicas_and_fits_their_volumes() {
    let (mut pods, mut claims) = (0, 0);
    let template = stateful_set()["volumeClaimTemplates"][0].clone();
    let is_of_a_replica = |name: &Value| name.as_str().unwrap().starts_with("data-relay-");
    for manifest in of_the_runbooks() {
        let spec = &manifest["spec"];
        if manifest["kind"] == json!("PersistentVolumeClaim") {
            claims += 1;
            assert!(is_of_a_replica(&manifest["metadata"]["name"]));
            assert_eq!(*spec, template["spec"]);
            continue;
        }
        pods += 1;
        let mut context = pod()["securityContext"].clone();
        context.as_object_mut().unwrap().remove("fsGroupChangePolicy");
        assert_eq!(spec["securityContext"], context);
        assert_eq!(spec["containers"][0]["securityContext"], container()["securityContext"]);
        let claim = &spec["volumes"][0]["persistentVolumeClaim"]["claimName"];
        assert!(is_of_a_replica(claim), "{claim}");
    }
    assert_eq!((pods, claims), (2, 1));
}
