package wire

// Tag is a label of a resource. Its members are capitalised, unlike all others.
type Tag struct {
	Key   string `json:"Key" shape:"TagKey" required:"true"`
	Value string `json:"Value" shape:"TagValue"`
}

// TagResourceRequest adds tags to a resource [iot-api, TagResource]. It is
// answered with an empty object.
type TagResourceRequest struct {
	ResourceARN string `json:"resourceArn" shape:"ResourceArn" required:"true"`
	Tags        []Tag  `json:"tags" shape:"TagList" required:"true"`
}

// UntagResourceRequest takes tags off a resource [iot-api, UntagResource]. It
// is answered with an empty object.
type UntagResourceRequest struct {
	ResourceARN string   `json:"resourceArn" shape:"ResourceArn" required:"true"`
	TagKeys     []string `json:"tagKeys" shape:"TagKeyList" required:"true"`
}

// ListTagsForResourceRequest asks for a resource's tags
// [iot-api, ListTagsForResource].
type ListTagsForResourceRequest struct {
	ResourceARN string `json:"-" query:"resourceArn" shape:"ResourceArn" required:"true"`
	NextToken   string `json:"-" query:"nextToken" shape:"NextToken"`
}

// ListTagsForResourceResponse is a page of tags. No token means no more.
type ListTagsForResourceResponse struct {
	Tags      List[Tag] `json:"tags"`
	NextToken string    `json:"nextToken,omitempty"`
}
