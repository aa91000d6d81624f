//! The refusal to compare coordinates of different systems.

use super::Crs;
use crate::{Error, Result};

/// Refuses two known, different CRS in one operation (`what`, such as `ST_Intersects`).
///
/// An unknown CRS on either side goes with everything: there is nothing to compare.
///
/// # Errors
/// [`Error::Crs`], naming both columns, both CRS and the `ST_Transform` that mends it.
pub fn check_same_crs(
    left_column: &str,
    left: Option<&Crs>,
    right_column: &str,
    right: Option<&Crs>,
    what: &str,
) -> Result<()> {
    let (Some(left), Some(right)) = (left, right) else {
        return Ok(());
    };
    if left.same_as(right) {
        return Ok(());
    }
    // Only a CRS with a code can be written into a statement.
    let remedy = match (left.authority_code(), right.authority_code()) {
        (Some(code), _) => format!("write ST_Transform({right_column}, '{code}')"),
        (None, Some(code)) => format!("write ST_Transform({left_column}, '{code}')"),
        (None, None) => "transform one of them with ST_Transform".to_owned(),
    };
    let (left_name, right_name) = (left.name(), right.name());
    let differ = if left_name == right_name {
        " (the names agree, the definitions do not)"
    } else {
        ""
    };
    Err(Error::Crs(format!(
        "{what} over two coordinate reference systems: {left_column} is in {left_name}, \
         {right_column} is in {right_name}{differ}. To compare them, {remedy}"
    )))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(left: Option<&Crs>, right: Option<&Crs>) -> Result<()> {
        check_same_crs("c.geometry", left, "r.geom", right, "ST_Intersects")
    }

    #[test]
    fn unknown_goes_with_everything() {
        let crs = Crs::lon_lat();
        assert!(check(None, None).is_ok());
        assert!(check(Some(&crs), None).is_ok());
        assert!(check(None, Some(&crs)).is_ok());
        assert!(check(Some(&crs), Some(&crs)).is_ok());
    }

    #[test]
    fn the_message_says_how_to_mend_it() {
        let tm35 = Crs::from_authority_code("EPSG:3067").unwrap();
        let message = check(Some(&tm35), Some(&Crs::lon_lat()))
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "ST_Intersects over two coordinate reference systems: c.geometry is in EPSG:3067, \
             r.geom is in OGC:CRS84. To compare them, write ST_Transform(r.geom, 'EPSG:3067')"
        );
    }

    #[test]
    fn a_system_without_code_is_transformed_into_the_other() {
        let site = Crs::from_projjson(json!({"name": "Site", "unit": 1})).unwrap();
        let other = Crs::from_projjson(json!({"name": "Site", "unit": 2})).unwrap();
        let message = check(Some(&site), Some(&Crs::lon_lat()))
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with("write ST_Transform(c.geometry, 'OGC:CRS84')"),
            "{message}"
        );
        let message = check(Some(&site), Some(&other)).unwrap_err().to_string();
        assert!(message.contains("definitions do not"), "{message}");
    }
}
