//! CSV and its like.

use crate::Desk;

#[tokio::test]
async fn wkt_by_its_name() {
    let desk = Desk::new();
    desk.write(
        "a.csv",
        "id,geometry,note\n1,POINT(1 2),\"a,b\"\n2,,\n3,\"linestring Z (1 2 3, 4 5 6)\",x\n",
    );
    assert_eq!(
        desk.columns("SELECT * FROM '$/a.csv'").await,
        "id Int64, geometry BinaryView, note Utf8"
    );
    assert_eq!(
        desk.answer("SELECT id, ST_AsText(geometry), note FROM '$/a.csv'")
            .await,
        ["1|POINT(1 2)|a,b", "2||", "3|LINESTRING Z (1 2 3,4 5 6)|x"]
    );
    assert_eq!(desk.crs("SELECT * FROM '$/a.csv'").await, None);
    let given = "SELECT * FROM read_csv('$/a.csv', crs := 'EPSG:3067')";
    assert_eq!(desk.crs(given).await.unwrap(), "EPSG:3067");
    // A name alone makes no geometry.
    desk.write("b.csv", "geom,n\nround,1\n");
    assert_eq!(
        desk.columns("SELECT * FROM '$/b.csv'").await,
        "geom Utf8, n Int64"
    );
}

#[tokio::test]
async fn x_and_y_and_other_options() {
    let desk = Desk::new();
    desk.write(
        "a.tsv",
        "name\tLon\tLat\nHelsinki\t24.9\t60.2\nnowhere\t\t\n",
    );
    let sql = "SELECT name, ST_AsText(geometry) FROM read_csv('$/a.tsv', x := 'lon', y := 'lat', crs := 'EPSG:4326')";
    assert_eq!(
        desk.answer(sql).await,
        ["Helsinki|POINT(24.9 60.2)", "nowhere|"]
    );
    let all = "SELECT * FROM read_csv('$/a.tsv', lon := 'lon', lat := 'lat', crs := 'EPSG:4326')";
    assert_eq!(
        desk.columns(all).await,
        "name Utf8, Lon Float64, Lat Float64, geometry BinaryView"
    );
    assert_eq!(desk.crs(all).await.unwrap(), "EPSG:4326");
    desk.write("b.txt", "1;'a;b';\n2;c;4\n");
    let sql = "SELECT column_1, column_2, column_3 FROM read_csv('$/b.txt', delim := ';', header := false, quote := '''')";
    assert_eq!(desk.answer(sql).await, ["1|a;b|", "2|c|4"]);
    // A filter on a computed geometry.
    let sql =
        "SELECT name FROM read_csv('$/a.tsv', x := 'Lon', y := 'Lat') WHERE ST_X(geometry) > 20";
    assert_eq!(desk.answer(sql).await, ["Helsinki"]);
}

#[tokio::test]
async fn several_files() {
    let desk = Desk::new();
    for (name, n) in [("a.csv", 1), ("b.csv", 2)] {
        desk.write(name, format!("n,wkt\n{n},POINT({n} 0)\n"));
    }
    for from in [
        "'$/*.csv'",
        "read_csv('$/*.csv')",
        "read_csv(['$/a.csv', '$/b.csv'])",
    ] {
        let sql = format!("SELECT sum(n), max(ST_X(wkt)) FROM {from}");
        assert_eq!(desk.answer(&sql).await, ["3|2.0"], "{from}");
    }
}

#[tokio::test]
async fn mistakes_say_what_there_is() {
    let desk = Desk::new();
    desk.write("a.csv", "n,wkt\n1,POINT(1 2)\n2,POINT(1\n");
    for (call, expected) in [
        (
            "read_csv('$/a.csv', delimeter := ';')",
            "read_csv has no option delimeter",
        ),
        (
            "read_csv('$/a.csv', x := 'n')",
            "x and y name the columns of coordinates together",
        ),
        (
            "read_csv('$/a.csv', x := 'lon', y := 'n')",
            "has no column \"lon\", it has n, wkt",
        ),
        (
            "read_csv('$/a.csv', x := 'n', y := 'wkt')",
            "column \"wkt\" is no number",
        ),
        (
            "read_csv('$/a.csv', header := 'perhaps')",
            "header must be true or false, not 'perhaps'",
        ),
        ("read_csv('$/none.csv')", "none.csv does not exist"),
        (
            "read_geojson('$/a.csv', layer := 'x')",
            "GeoJSON has no option layer",
        ),
        (
            "read_geojson('$/a.csv')",
            "a.csv, line 1, column 1: this is no GeoJSON",
        ),
        ("st_read()", "expected a path"),
    ] {
        let message = desk.failure(&format!("SELECT * FROM {call}")).await;
        assert!(message.contains(expected), "{call}: {message}");
    }
    let message = desk.failure("SELECT ST_AsText(wkt) FROM '$/a.csv'").await;
    assert!(message.contains("POINT(1"), "{message}");
}
