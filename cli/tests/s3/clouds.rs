//! Google's and Azure's stores, by servers that speak their protocols: what is written can be read and is complete, what is
//! refused is named, and nothing is left of what fails.
//!
//! `weed` answers what Google's XML interface is asked, which is that of S3. A server of Azure's needs Node:
//!
//! ```text
//!  npm install azurite && npx azurite-blob --skipApiVersionCheck &
//!  GEOFLOW_AZURITE=http://127.0.0.1:10000/devstoreaccount1 scripts/test --test s3 azure -- --ignored
//! ```
//!
//! with a container `geoflow-test` in it.

use std::process::{Command, Output};

use super::server::{Result, Server};
use super::testdata;

/// A place in a cloud and the variables that lead there.
struct Cloud {
    place: String,
    /// A container of the same account that is not there.
    nowhere: String,
    variables: Vec<(&'static str, String)>,
}

impl Cloud {
    fn run(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_geoflow"));
        command
            .args(args)
            .args(["--store-retries", "1"])
            .env_clear();
        let variables = self.variables.iter().map(|(k, v)| (*k, v.as_str()));
        Ok(command.envs(variables).output()?)
    }

    /// Standard output of a run that succeeds.
    fn answer(&self, args: &[&str]) -> Result<String> {
        let output = self.run(args)?;
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout)?),
            false => Err(format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    /// Exit code and standard error of a run that does not.
    fn refusal(&self, args: &[&str]) -> Result<(Option<i32>, String)> {
        let output = self.run(args)?;
        assert!(!output.status.success(), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code(), said))
    }

    fn count(&self, table: &str) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM '{}{table}'", self.place);
        let answer = self.answer(&["query", "--format", "csv", &sql])?;
        Ok(answer.lines().nth(1).unwrap_or_default().parse()?)
    }

    /// All that is asked of a store.
    fn check(&self) -> Result<()> {
        let place = &self.place;
        let cities = testdata("cities.parquet").display().to_string();
        let all = format!("SELECT * FROM '{cities}'");
        let rows = 171_075;
        for name in ["a.parquet", "a.gpkg", "a.csv"] {
            let target = format!("{place}{name}");
            self.answer(&["query", &all, "-o", &target])?;
            assert_eq!(self.count(name)?, rows, "{name}");
            let (code, said) =
                self.refusal(&["query", "SELECT ST_Point(1, 2) AS g", "-o", &target])?;
            assert!(code == Some(1) && said.contains(&target), "{said}");
            assert_eq!(self.count(name)?, rows, "{name}");
        }
        let target = format!("{place}a.parquet");
        self.answer(&["query", &all, "-o", &target, "--overwrite"])?;
        assert!(self.answer(&["info", &target])?.contains("171,075"));

        // More than the parts of one upload.
        let many = "SELECT v, random() AS a, random() AS b, random() AS c, ST_Point(random(), random()) AS geometry \
                    FROM generate_series(1, 1000000) AS t(v)";
        let target = format!("{place}many.parquet");
        self.answer(&["query", many, "-o", &target])?;
        assert_eq!(self.count("many.parquet")?, 1_000_000);

        let copy = |options: &str| {
            format!(
                "COPY (SELECT *, CAST(ST_X(geometry) / 90 AS INT) AS zone FROM '{cities}') TO '{place}hive/' \
                 STORED AS PARQUET PARTITIONED BY (zone) {options}"
            )
        };
        self.answer(&["query", &copy("")])?;
        let (code, said) = self.refusal(&["query", &copy("")])?;
        assert!(
            code == Some(1) && said.contains("has files already"),
            "{said}"
        );
        self.answer(&["query", &copy("OPTIONS (if_exists 'append')")])?;
        for table in ["hive/", "hive", "hive/**/*.parquet", "hive/*/*.parquet"] {
            assert_eq!(self.count(table)?, 2 * rows, "{table}");
        }
        self.answer(&["query", &copy("OPTIONS (if_exists 'overwrite')")])?;
        assert_eq!(self.count("hive/")?, rows);

        for name in ["bad.parquet", "bad.csv", "bad/"] {
            let failing =
                "SELECT v, 1 / (400000 - v) AS w FROM generate_series(1, 1000000) AS t(v)";
            let target = format!("{place}{name}");
            let (code, said) = self.refusal(&["query", failing, "-o", &target])?;
            assert!(
                code == Some(1) && said.contains("division by zero"),
                "{said}"
            );
            let sql = format!("SELECT * FROM '{place}{name}'");
            let (code, said) = self.refusal(&["query", &sql])?;
            assert_eq!(code, Some(1), "{said}");
        }
        let nowhere = &self.nowhere;
        for sql in [
            format!("SELECT * FROM '{nowhere}a.parquet'"),
            format!("SELECT * FROM '{nowhere}'"),
        ] {
            let (code, said) = self.refusal(&["query", &sql])?;
            assert!(code == Some(3) && said.contains("does not exist"), "{said}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn google() -> Result<()> {
    let server = Server::start_for_everybody().await?;
    let cloud = Cloud {
        place: "gs://probe/google/".to_owned(),
        nowhere: "gs://nowhere/".to_owned(),
        variables: vec![("STORAGE_EMULATOR_HOST", server.address().to_string())],
    };
    cloud.check()
}

#[test]
#[ignore = "needs azurite, a program for Node: see above"]
fn azure() -> Result<()> {
    // The account and the key that every Azurite has.
    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let endpoint = std::env::var("GEOFLOW_AZURITE")?;
    let run = std::process::id();
    let cloud = |key: &str| Cloud {
        place: format!("az://geoflow-test/{run}/"),
        nowhere: "az://nowhere/".to_owned(),
        variables: vec![
            ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1".to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", key.to_owned()),
            ("AZURE_STORAGE_ENDPOINT", endpoint.clone()),
        ],
    };
    cloud(KEY).check()?;
    let wrong = cloud(&KEY.replace("Eby8", "Abcd"));
    let sql = format!("SELECT * FROM '{}a.parquet'", wrong.place);
    let (code, said) = wrong.refusal(&["query", &sql])?;
    assert!(
        code == Some(3) && said.contains("AZURE_STORAGE_ACCOUNT_KEY"),
        "{said}"
    );
    assert!(!said.contains("vdM02xNOcq"), "{said}");
    Ok(())
}
