//! `geoflow validate`: whether files are what they say, and how well they are laid out.

use geoflow_engine::geoparquet::{Finding, Level, display_location, validate};
use serde_json::{Value, json};

use crate::args::{InfoFormat, ValidateArgs};
use crate::error::{Failure, Result, from_engine};
use crate::info::files;
use crate::printer::Printer;
use crate::session::Session;
use crate::settings::Settings;

/// Examines each file. Fails when one of them breaks the standard; advice fails nothing.
pub(crate) async fn run(args: ValidateArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let session = Session::new(settings)?;
    let mut reports: Vec<Value> = vec![];
    let (mut examined, mut invalid) = (0, 0);
    for path in &args.paths {
        for file in files::find(path, &session).await? {
            let name = file
                .name
                .unwrap_or_else(|| display_location(file.store.as_ref(), &file.meta.location));
            let findings = validate(file.store, file.meta, !args.metadata_only)
                .await
                .map_err(|e| from_engine(&e))?;
            examined += 1;
            invalid += usize::from(!is_valid(&findings));
            match args.format {
                InfoFormat::Text => printer.data(&text(&name, &findings))?,
                InfoFormat::Json => reports.push(report(&name, &findings)),
            }
        }
    }
    if args.format == InfoFormat::Json {
        // A value of strings and booleans always serializes.
        let text = serde_json::to_string_pretty(&reports).unwrap_or_default();
        printer.data(&format!("{text}\n"))?;
    }
    match invalid {
        0 => Ok(()),
        _ => Err(Failure::user(format!(
            "{invalid} of {examined} files are invalid"
        ))),
    }
}

fn is_valid(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.level != Level::Error)
}

fn text(name: &str, findings: &[Finding]) -> String {
    let verdict = if is_valid(findings) {
        "valid"
    } else {
        "invalid"
    };
    let mut text = format!("{name}: {verdict}\n");
    for finding in findings {
        text.push_str(&format!("  {:<7} {}\n", level(finding), finding.message));
    }
    text
}

fn report(name: &str, findings: &[Finding]) -> Value {
    let findings_json: Vec<Value> = findings
        .iter()
        .map(|finding| json!({"level": level(finding), "message": finding.message}))
        .collect();
    json!({"path": name, "valid": is_valid(findings), "findings": findings_json})
}

fn level(finding: &Finding) -> &'static str {
    match finding.level {
        Level::Error => "error",
        Level::Advice => "advice",
    }
}
